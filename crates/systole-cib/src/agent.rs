//! What an agent's metadata says that histories have to tell: which parameters can be reloaded, which are private.

use crate::{
    read::parse_bool,
    xml::{Document, Element, XmlError},
};

/// Parameters that are private where an agent calls none so.
const USUALLY_PRIVATE: [&str; 3] = ["password", "passwd", "user"];

/// How an agent takes up changed parameters without a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadAction {
    /// `reload-agent`, since OCF 1.1.
    ReloadAgent,
    /// `reload`, by which later agents mean their service's configuration.
    Reload,
}

/// What an agent says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AgentTraits {
    /// How it is reloaded, if it can be, and the parameters that call for a restart all the same.
    pub reload: Option<(ReloadAction, Vec<String>)>,
    /// Parameters that are not for everybody's eyes.
    pub private: Vec<String>,
}

impl AgentTraits {
    /// Reads an agent's metadata.
    ///
    /// Parameters are reloadable that are marked `reloadable`, of an agent that follows OCF 1.1 and advertises `reload-agent`.
    /// Of older ones that advertise `reload`, those that are not marked `unique`. Names are in the order in which Pacemaker
    /// writes them: the last first.
    ///
    /// Source: Pacemaker Explained, "Reloading an Agent After a Definition Change".
    ///
    /// # Errors
    /// If it is not XML.
    pub fn read(class: &str, metadata: &str) -> Result<Self, XmlError> {
        let document = Document::parse(without_document_type(metadata))?;
        let root = document.root();
        let version = root.child("version").map(Element::text).unwrap_or_default();
        let is_newer = class == "ocf" && is_at_least_1_1(version.trim());
        let within = |name: &'static str| root.child(name).into_iter().flat_map(Element::children);
        let advertises = |action: &str| {
            within("actions")
                .filter_map(|element| element.attr("name"))
                .any(|name| if is_newer { name == action } else { name.eq_ignore_ascii_case(action) })
        };
        let parameters: Vec<Element<'_>> =
            within("parameters").filter(|element| element.attr("name").is_some()).collect();
        let is_marked =
            |parameter: &Element<'_>, mark| parameter.attr(mark).and_then(parse_bool) == Some(true);
        let names = |is_meant: &dyn Fn(&Element<'_>) -> bool| {
            let meant = parameters.iter().rev().filter(|parameter| is_meant(parameter));
            meant.filter_map(|parameter| parameter.attr("name")).map(str::to_owned).collect::<Vec<_>>()
        };
        let reload = if is_newer && advertises("reload-agent") {
            Some((ReloadAction::ReloadAgent, names(&|parameter| !is_marked(parameter, "reloadable"))))
        } else if !is_newer && advertises("reload") {
            Some((ReloadAction::Reload, names(&|parameter| is_marked(parameter, "unique"))))
        } else {
            None
        };
        let mut private = names(&|parameter| is_marked(parameter, "private"));
        if private.is_empty() {
            private = names(&|parameter| {
                parameter.attr("name").is_some_and(|name| USUALLY_PRIVATE.contains(&name))
            });
        }
        Ok(Self { reload, private })
    }
}

/// Agents name a document type; CIBs must not, since entities could be declared there, so the parser takes none.
fn without_document_type(metadata: &str) -> String {
    let Some((before, rest)) = metadata.split_once("<!DOCTYPE") else { return metadata.to_owned() };
    let own_part = rest.find('[').filter(|bracket| rest.find('>').is_some_and(|end| bracket < &end));
    let end = own_part.and_then(|at| rest[at..].find(']').map(|length| at + length)).unwrap_or(0);
    let after = rest[end..].split_once('>').map_or("", |(_, after)| after);
    [before, after].concat()
}

fn is_at_least_1_1(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next()) >= (1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(version: &str, actions: &[&str], parameters: &str) -> AgentTraits {
        let actions: String = actions.iter().map(|name| format!("<action name=\"{name}\"/>")).collect();
        let metadata = format!(
            "<?xml version=\"1.0\"?><resource-agent name=\"x\"><version>{version}</version>\
             <parameters>{parameters}</parameters><actions>{actions}</actions></resource-agent>"
        );
        AgentTraits::read("ocf", &metadata).expect("well formed")
    }

    #[test]
    fn what_calls_for_a_restart_is_told_by_reloadable_since_ocf_1_1_and_by_unique_before() {
        let parameters = "<parameter name=\"state\" unique=\"1\"/><parameter name=\"sleep\" reloadable=\"1\"/>\
                          <parameter name=\"file\" reloadable=\"false\"/>";
        let restarts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (version, actions, expected) in [
            (
                "1.1",
                vec!["start", "reload-agent"],
                Some((ReloadAction::ReloadAgent, restarts(&["file", "state"]))),
            ),
            (
                " 1.10\n",
                vec!["reload-agent"],
                Some((ReloadAction::ReloadAgent, restarts(&["file", "state"]))),
            ),
            // What "reload" means since then is not ours to use, nor "reload-agent" before.
            ("1.1", vec!["reload"], None),
            ("1.0", vec!["reload-agent"], None),
            ("1.0", vec!["Reload"], Some((ReloadAction::Reload, restarts(&["state"])))),
            ("", vec!["reload", "reload-agent"], Some((ReloadAction::Reload, restarts(&["state"])))),
            ("1.1", vec!["start"], None),
        ] {
            assert_eq!(traits(version, &actions, parameters).reload, expected, "{version:?} {actions:?}");
        }
    }

    #[test]
    fn passwords_are_private_unless_the_agent_says_what_is() {
        let usual = "<parameter name=\"user\"/><parameter name=\"ip\"/><parameter name=\"passwd\"/>";
        assert_eq!(traits("1.0", &[], usual).private, ["passwd", "user"]);
        let marked = "<parameter name=\"user\"/><parameter name=\"token\" private=\"1\"/>";
        assert_eq!(traits("1.0", &[], marked).private, ["token"]);
        assert_eq!(traits("1.0", &[], "<parameter/><parameter name=\"ip\"/>").private, [""; 0]);
    }

    #[test]
    fn a_document_type_is_passed_over() {
        for declaration in [
            "<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\">",
            "<!DOCTYPE resource-agent [ <!ELEMENT a (b)> ]>",
        ] {
            let metadata = format!(
                "<?xml version=\"1.0\"?>\n{declaration}\n<resource-agent><parameters><parameter name=\"user\"/></parameters></resource-agent>"
            );
            let traits = AgentTraits::read("ocf", &metadata).expect("well formed");
            assert_eq!(traits.private, ["user"], "{declaration}");
        }
        assert!(AgentTraits::read("ocf", "<!DOCTYPE").is_err());
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        assert!(AgentTraits::read("ocf", "usage: agent ACTION").is_err());
    }
}
