//! The requests that the document prints, answered byte for byte as it prints its answers, after the repairs that each cassette lists.

use serde_json::Value;
use vitrina::recording::About;

use super::site::builtin;
use crate::support::cassettes::{about, answer, cassette, folder, given};
use crate::support::mart::send;

#[tokio::test]
async fn the_printed_requests_are_answered_as_printed() {
    let files: Vec<_> = std::fs::read_dir(folder("booking")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3);
    let mut hospital = builtin().await;
    for file in files {
        let cassette = cassette(file.to_str().unwrap());
        let About { name, repairs, deviations, .. } = about(&cassette);
        assert!(repairs.len() + deviations.len() > 0);
        let statement = given(&cassette, "statement").as_str().unwrap().to_owned();
        let printed: Value = serde_json::from_str(&answer(&cassette).1).unwrap();
        hospital.config.book = vec![statement.clone()];
        hospital.config.cancel = vec![statement];
        let site = hospital.open().await;
        let request = site
            .client
            .post(format!("{}{}", site.url, cassette.request.path))
            .body(cassette.request.body.written().unwrap().0);
        let (status, told) = send(request).await;
        assert_eq!((status.as_u16(), &told), (200, &printed), "{name}");
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&told), keys(&printed), "{name}: in the table's order");
    }
}
