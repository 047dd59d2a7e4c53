//! EKDO from its section: much of its wire is a setting.

use reqwest::Method;

use super::OpenError;
use crate::config::{self, EkdoConfig, EkdoFields, PortalConfig};
use crate::portal::AnyPortal;
use crate::portal::ekdo::{self, EkdoPortal, EkdoSettings, EkdoWire, FieldNames, Terms};
use crate::record::Stage;
use crate::transport::{Pauses, Witness};

/// Opens the portal that a section describes.
pub(super) fn open(portal: &PortalConfig, own: &EkdoConfig, witness: Witness) -> Result<AnyPortal, OpenError> {
    Ok(AnyPortal::Ekdo(Box::new(EkdoPortal::new(settings(portal, own), Some(witness))?)))
}

fn settings(portal: &PortalConfig, own: &EkdoConfig) -> EkdoSettings {
    EkdoSettings {
        url: portal.url.clone(),
        username: own.username.clone(),
        password: own.password.clone(),
        user_id: own.user_id.clone(),
        files_root: own.files_root.clone(),
        max_file_bytes: own.max_file_bytes,
        groups: own.groups.clone(),
        default_group: own.default_group.clone(),
        wire: wire(own),
        timeout: portal.timeout,
        requests_per_second: portal.requests_per_second,
        ca_file: portal.ca_file.clone(),
        pauses: Pauses::GUARDING,
    }
}

fn wire(own: &EkdoConfig) -> EkdoWire {
    EkdoWire {
        token_path: own.token_path.clone(),
        docs_path: own.docs_path.clone(),
        signature_path: own.signature_path.clone(),
        token_method: match own.token_method {
            config::TokenMethod::Get => Method::GET,
            config::TokenMethod::Post => Method::POST,
            config::TokenMethod::Put => Method::PUT,
            config::TokenMethod::Patch => Method::PATCH,
        },
        signature_method: method(own.signature_method),
        login: match own.login {
            config::LoginForm::Json => ekdo::LoginForm::Json,
            config::LoginForm::Form => ekdo::LoginForm::Form,
            config::LoginForm::Basic => ekdo::LoginForm::Basic,
        },
        token_place: match own.token_place {
            config::TokenPlace::Bearer => ekdo::TokenPlace::Bearer,
            config::TokenPlace::Header => ekdo::TokenPlace::Header(own.token_name.clone()),
            config::TokenPlace::Query => ekdo::TokenPlace::Query(own.token_name.clone()),
        },
        encoding: match own.encoding {
            config::FileEncoding::Multipart => ekdo::Encoding::Multipart,
            config::FileEncoding::Base64 => ekdo::Encoding::Base64,
        },
        signature_form: match own.signature_form {
            config::SignatureForm::File => ekdo::SignatureForm::AsItIs,
            config::SignatureForm::Der => ekdo::SignatureForm::Der,
            config::SignatureForm::Base64 => ekdo::SignatureForm::Base64,
        },
        signature_types: own.signature_types.clone(),
        names: names(&own.fields),
        terms: terms(own),
    }
}

fn terms(own: &EkdoConfig) -> Terms {
    let usual = Terms::default();
    Terms {
        signed_statuses: own.signed_statuses.clone().unwrap_or(usual.signed_statuses),
        bare_success: match own.bare_success {
            config::BareSuccess::Sent => Stage::Sent,
            config::BareSuccess::Signed => Stage::Confirmed,
        },
    }
}

fn method(own: config::UploadMethod) -> Method {
    match own {
        config::UploadMethod::Post => Method::POST,
        config::UploadMethod::Put => Method::PUT,
        config::UploadMethod::Patch => Method::PATCH,
    }
}

fn names(fields: &EkdoFields) -> FieldNames {
    FieldNames {
        username: fields.username.clone(),
        password: fields.password.clone(),
        user_id: fields.user_id.clone(),
        token: fields.token.clone(),
        file: fields.file.clone(),
        file_name: fields.file_name.clone(),
        group: fields.group.clone(),
        number: fields.number.clone().unwrap_or_default(),
        date: fields.date.clone().unwrap_or_default(),
        subtype: fields.subtype.clone().unwrap_or_default(),
        employee: fields.employee.clone().unwrap_or_default(),
        document_id: fields.document_id.clone(),
        signature: fields.signature.clone(),
        signature_type: fields.signature_type.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Own, load};

    #[test]
    fn a_wrong_password_is_tried_so_rarely_that_it_locks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vitrina.toml");
        let text = format!(
            r#"
                [sources.mis]
                url = "sqlite:{root}/mis.db"
                [ledger]
                url = "sqlite:{root}/ledger.db"
                [portals.ekdo]
                kind = "ekdo"
                url = "http://127.0.0.1:1"
                username = "u"
                user_id = "5"
                password = "p"
                files_root = "{root}"
                [portals.ekdo.feeds.document]
                query = "SELECT 1"
            "#,
            root = folder.path().display()
        );
        std::fs::write(&path, text).unwrap();
        let config = load(&path, &Environment::of([("", ""); 0])).unwrap().config;
        let portal = &config.portals["ekdo"];
        let Own::Ekdo(own) = &portal.own else { panic!("another kind") };
        assert_eq!(settings(portal, own).pauses, Pauses::GUARDING);
    }
}
