//! The state of the cluster as a web page of its own, as `crm_mon --output-as=html` writes it.

use super::text::{TextOptions, status_lists, summary};
use crate::outline::Outline;
use systole_cib::xml::escape_text;
use systole_scheduler::Overview;

/// Words of a line that say how things are, and the class it gets by the first that it has.
const CLASSES: [(&str, &str); 9] = [
    ("FAILED", "rsc-failed"),
    ("UNCLEAN", "offline"),
    ("offline", "offline"),
    ("OFFLINE", "offline"),
    ("standby", "standby"),
    ("maintenance", "maint"),
    ("unmanaged", "maint"),
    ("online", "online"),
    ("Started", "rsc-ok"),
];

const STYLE: &str = ".bold { font-weight: bold }
.online { color: green }
.offline { color: red }
.maint { color: blue }
.standby { color: blue }
.rsc-failed { color: red }
.rsc-ok { color: green }";

/// What the page is called, and how it comes again.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Its title.
    pub title: Option<String>,
    /// The address of a style sheet beside the page's own style.
    pub stylesheet: Option<String>,
    /// After so many seconds it is loaded again.
    pub refresh: Option<u64>,
    /// Whether a web server is to be told first what it is.
    pub is_cgi: bool,
}

/// The whole page.
pub fn status_html(overview: &Overview, options: &TextOptions, page: &Page) -> String {
    let mut body = String::new();
    let top = [("Cluster Summary", summary(&overview.summary, options))];
    for (title, list) in top.into_iter().chain(status_lists(overview, options)) {
        if !list.is_empty() {
            body.push_str(&format!("<h2>{}</h2>\n", escaped(title)));
            nested(&list, &mut body);
        }
    }
    around(&body, page)
}

/// The page while nothing is known of the cluster, with the reason.
pub fn unreachable_html(reason: &str, page: &Page) -> String {
    around(&format!("<p><span class=\"offline\">{}</span></p>\n", escaped(reason)), page)
}

fn around(body: &str, page: &Page) -> String {
    let title = escaped(page.title.as_deref().unwrap_or("Cluster Status"));
    let header = if page.is_cgi { "Content-Type: text/html\n\n" } else { "" };
    let mut out = format!(
        "{header}<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<title>{title}</title>\n<meta charset=\"utf-8\">\n"
    );
    if let Some(seconds) = page.refresh {
        out.push_str(&format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
    }
    out.push_str(&format!("<style>{STYLE}</style>\n"));
    if let Some(address) = &page.stylesheet {
        let address = escaped(address).replace('"', "&quot;");
        out.push_str(&format!("<link rel=\"stylesheet\" href=\"{address}\">\n"));
    }
    out.push_str(&format!("</head>\n<body>\n{body}</body>\n</html>\n"));
    out
}

/// A list, with lists in its items. What has a list below it is a heading.
fn nested(list: &Outline, out: &mut String) {
    let lines: Vec<(usize, &str)> = list.lines().collect();
    let mut depth = 0;
    out.push_str("<ul>\n");
    for (n, (at, text)) in lines.iter().enumerate() {
        for _ in *at..depth {
            out.push_str("</ul></li>\n");
        }
        depth = *at;
        match lines.get(n + 1) {
            Some((next, _)) if *next > *at => {
                out.push_str(&format!("<li><h3>{}</h3>\n<ul>\n", escaped(text)));
                depth += 1;
            }
            _ => out.push_str(&format!("<li>{}</li>\n", marked(text))),
        }
    }
    for _ in 0..depth {
        out.push_str("</ul></li>\n");
    }
    out.push_str("</ul>\n");
}

fn marked(text: &str) -> String {
    let class = CLASSES.iter().find(|(word, _)| text.contains(word));
    match class {
        Some((_, class)) => format!("<span class=\"{class}\">{}</span>", escaped(text)),
        None => escaped(text),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    escape_text(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_nested_and_closed() {
        let mut list = Outline::new();
        for (depth, text) in [(0, "group: g"), (1, "a: Started <n1>"), (1, "b: Stopped"), (0, "c: FAILED")] {
            list.push(depth, text);
        }
        let mut html = String::new();
        nested(&list, &mut html);
        assert_eq!(
            html,
            "<ul>\n<li><h3>group: g</h3>\n<ul>\n<li><span class=\"rsc-ok\">a: Started &lt;n1&gt;</span></li>\n\
             <li>b: Stopped</li>\n</ul></li>\n<li><span class=\"rsc-failed\">c: FAILED</span></li>\n</ul>\n"
        );
    }
}
