//! Feeds: for each the table whose columns look like it is proposed, and what is missing is asked for. The person decides.

use super::matching::{self, Origin, Proposal, is_needed, parent_column, plain};
use super::talk::Talk;
use super::words;
use crate::cli::CliError;
use crate::cli::init::views;
use crate::cli::output::tell;
use crate::config::PortalKind;
use crate::portal;
use crate::record::{Field, Kind, Schema};
use crate::source::{Engine, Table};

/// Tables that are offered for one feed.
const OFFERED: usize = 8;

/// Where one feed comes from.
pub(super) struct Plan {
    /// The kind of its portal.
    pub(super) kind: PortalKind,
    /// The feed.
    pub(super) schema: &'static Schema,
    /// Its table with an origin for each field; none where it stays off.
    pub(super) proposal: Option<Proposal>,
}

impl Plan {
    /// The view that the feed reads.
    pub(super) fn view(&self) -> String {
        view(self.kind, self.schema)
    }
}

/// What is known while feeds are gone through.
struct Context<'a> {
    talk: &'a Talk,
    engine: Engine,
    tables: &'a [Table],
    /// A value that is offered for OIDs: the organisation's.
    oid: Option<&'a str>,
}

/// Goes through the feeds of a kind. Feeds whose view is there already are left as they are.
pub(super) fn ask(
    talk: &Talk,
    engine: Engine,
    kind: PortalKind,
    tables: &[Table],
    oid: Option<&str>,
) -> Result<Vec<Plan>, CliError> {
    let schemas = portal::kind(kind.name()).map_or(&[][..], |kind| kind.schemas);
    let is_view = |table: &&Table| schemas.iter().any(|schema| table.name == view(kind, schema));
    let of_site: Vec<Table> = tables.iter().filter(|table| !is_view(table)).cloned().collect();
    let context = Context { talk, engine, tables: &of_site, oid };
    let mut plans: Vec<Plan> = Vec::new();
    talk.say(&words::FEEDS, &[&kind.name()]);
    for schema in schemas.iter().copied() {
        let name = view(kind, schema);
        if tables.iter().any(|table| table.schema.is_none() && table.name == name) {
            talk.say(&words::VIEW_IS_THERE, &[&schema.feed, &name]);
            continue;
        }
        // Without tables there is nothing to choose from.
        let proposal = if of_site.is_empty() { None } else { context.settle(schema, &plans)? };
        plans.push(Plan { kind, schema, proposal });
    }
    Ok(plans)
}

fn view(kind: PortalKind, schema: &Schema) -> String {
    format!("vitrina_{}_{}", kind.name(), schema.feed)
}

impl Context<'_> {
    /// A table for a feed, and an origin for each of its fields. None: the feed stays off.
    fn settle(&self, schema: &'static Schema, earlier: &[Plan]) -> Result<Option<Proposal>, CliError> {
        loop {
            let Some(mut proposal) = self.table(schema)? else { return Ok(None) };
            self.name_parents(schema, &mut proposal, earlier);
            for (at, field) in schema.fields.iter().enumerate() {
                if is_needed(field) && proposal.origins[at] == Origin::Missing {
                    proposal.origins[at] = self.origin(schema, field, &proposal)?;
                }
            }
            self.show(schema, &proposal);
            match self.talk.decide(&words::TAKE_IT, &[&words::YES, &words::ANOTHER_TABLE, &words::NO_TABLE])? {
                0 => return Ok(Some(proposal)),
                1 => {}
                _ => return Ok(None),
            }
        }
    }

    fn table(&self, schema: &'static Schema) -> Result<Option<Proposal>, CliError> {
        let mut found = matching::proposals(schema, self.tables);
        found.truncate(OFFERED);
        let offer = |p: &Proposal| self.talk.words(&words::CANDIDATE, &[&p.table.shown(), &p.found, &p.needed]);
        let mut items: Vec<String> = found.iter().map(offer).collect();
        items.extend([&words::OTHER_TABLE, &words::NO_TABLE].map(|phrase| self.talk.words(phrase, &[])));
        let likely = found.first().is_some_and(Proposal::is_likely);
        let default = if likely { 0 } else { items.len() - 1 };
        let about = self.talk.words(&words::of_feed(schema.feed), &[]);
        self.talk.say(&words::FEED, &[&schema.feed, &about, &schema.table]);
        let prompt = self.talk.words(&words::WHICH_TABLE, &[&schema.feed]);
        let chosen = self.talk.choose(&prompt, &items, default)?;
        if chosen < found.len() {
            return Ok(Some(found.swap_remove(chosen)));
        }
        if chosen + 1 == items.len() {
            return Ok(None);
        }
        let named = |text: &str| self.tables.iter().find(|table| plain(&table.shown()) == plain(text));
        let known = |text: &str| named(text).map(|_| ()).ok_or_else(|| self.talk.words(&words::UNKNOWN_TABLE, &[]));
        let name = self.talk.line(&words::TABLE_NAME, "", known)?;
        Ok(named(&name).map(|table| Proposal::of(schema, table)))
    }

    /// Where a table names a parent by a number, takes the parent's key from its own table.
    fn name_parents(&self, schema: &Schema, proposal: &mut Proposal, earlier: &[Plan]) {
        for edge in schema.parents {
            let Some(at) = schema.position(edge.field).filter(|at| proposal.origins[*at] == Origin::Missing) else {
                continue;
            };
            let parent = earlier.iter().find(|plan| plan.schema.feed == edge.feed);
            let reached =
                parent.and_then(|plan| Some((plan.schema, plan.proposal.as_ref()?))).and_then(|(of, found)| {
                    let key = found.origins.get(of.position(of.key)?)?;
                    let Origin::Column(key) = key else { return None };
                    let column = parent_column(schema, &schema.fields[at], &proposal.table)?.name.clone();
                    let number = matching::number_column(&found.table)?.name.clone();
                    Some(Origin::Parent { column, table: found.table.quoted(self.engine), number, key: key.clone() })
                });
            if let Some(origin) = reached {
                proposal.origins[at] = origin;
            }
        }
    }

    /// Asks where a field comes from that was not found.
    fn origin(&self, schema: &Schema, field: &Field, proposal: &Proposal) -> Result<Origin, CliError> {
        let same = |word: &str| self.talk.words(&words::SAME_VALUE, &[&word]);
        let mut choices: Vec<(String, Option<Origin>)> = Vec::new();
        for word in words_of(field.kind) {
            choices.push((same(word), Some(Origin::Constant((*word).to_owned()))));
        }
        if let (Kind::Oid, Some(oid)) = (field.kind, self.oid) {
            choices.push((same(oid), Some(Origin::Constant(oid.to_owned()))));
        }
        for column in &proposal.table.columns {
            let origin = Origin::Column(column.name.clone());
            if matching::may_hold(field.kind, column) && !proposal.origins.contains(&origin) {
                choices.push((format!("{} ({})", column.name, column.type_name), Some(origin)));
            }
        }
        choices.push((self.talk.words(&words::OWN_VALUE, &[]), None));
        choices.push((self.talk.words(&words::LATER, &[]), Some(Origin::Missing)));
        let items: Vec<String> = choices.iter().map(|(item, _)| item.clone()).collect();
        let default = default_of(schema, field, &choices);
        let name = format!("{}.{}", schema.feed, field.name);
        self.talk.tell(&format!("{name}: {}", views::wanted(schema, field, self.talk.language())));
        let chosen = self.talk.choose(&self.talk.words(&words::WHERE_FROM, &[&name]), &items, default)?;
        match choices.swap_remove(chosen).1 {
            Some(origin) => Ok(origin),
            None => self.talk.line(&words::VALUE, "", |_| Ok(())).map(Origin::Constant),
        }
    }

    fn show(&self, schema: &Schema, proposal: &Proposal) {
        let width = schema.fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
        let mut lines = vec![format!("{} <- {}", schema.feed, proposal.table.shown())];
        for (field, origin) in schema.fields.iter().zip(&proposal.origins) {
            let from = match origin {
                Origin::Column(column) => column.clone(),
                Origin::Parent { column, table, key, .. } => format!("{column} -> {table}.{key}"),
                Origin::Constant(text) => format!("'{text}'"),
                Origin::Missing if is_needed(field) => self.talk.words(&words::NOT_FOUND_YET, &[]),
                Origin::Missing => continue,
            };
            lines.push(format!("    {:width$}  {from}", field.name));
        }
        tell(&lines.join("\n"));
    }
}

/// The choice that a tired hand may take: nothing that is only guessed, and no status that would offer what is taken.
fn default_of(schema: &Schema, field: &Field, choices: &[(String, Option<Origin>)]) -> usize {
    let later = choices.len() - 1;
    let constant = |choice: &(String, Option<Origin>)| matches!(choice.1, Some(Origin::Constant(_)));
    if schema.status == Some(field.name) || !choices.first().is_some_and(constant) {
        return later;
    }
    words_of(field.kind).iter().position(|word| *word == "ALL").unwrap_or(0)
}

/// The words that a field allows.
fn words_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Enum(words) | Kind::EnumWithAliases(words, _) | Kind::EnumList(words) => words,
        _ => &[],
    }
}
