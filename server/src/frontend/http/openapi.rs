//! The OpenAPI document of the HTTP door, served as it lies beside this file, but for the version.

use std::sync::OnceLock;

/// Where the version goes.
const VERSION_MARK: &str = "{version}";

const DOCUMENT: &str = include_str!("openapi.json");

/// The document.
pub(super) fn document() -> &'static [u8] {
    static FILLED: OnceLock<String> = OnceLock::new();
    FILLED.get_or_init(|| DOCUMENT.replace(VERSION_MARK, env!("CARGO_PKG_VERSION"))).as_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use locksley_engine::limits::{PREFIX_BYTES_MAX, PREFIX_COUNT_MAX};
    use locksley_wire::http::Method;
    use locksley_wire::limits::{HTTP_FIELD_COUNT_MAX, HTTP_HEAD_BYTES_MAX, HTTP_TARGET_BYTES_MAX};
    use serde_json::{Value, json};

    use super::super::routes::PATHS;
    use super::*;
    use crate::config::Config;
    use crate::console::ASSETS;
    use crate::limits::{
        HTTP_BATCH_BYTES_MAX, HTTP_BATCH_KEY_COUNT_MAX, HTTP_BATCH_RESPONSE_BYTES_MAX, HTTP_KEY_BYTES_MAX,
        HTTP_OTHER_BODY_BYTES_MAX, HTTP_STRANGER_BODY_BYTES_MAX, HTTP_TTL_SECONDS_MAX,
    };

    fn parsed() -> Value {
        serde_json::from_slice(document()).expect("the document is JSON")
    }

    fn name(method: Method) -> &'static str {
        match method {
            Method::Get => "get",
            Method::Head => "head",
            Method::Put => "put",
            Method::Post => "post",
            Method::Delete => "delete",
            Method::Options | Method::Other => unreachable!("no path has it"),
        }
    }

    /// Calls `look` with every object in `value`.
    fn each_object(value: &Value, look: &mut impl FnMut(&serde_json::Map<String, Value>)) {
        match value {
            Value::Object(members) => {
                look(members);
                members.values().for_each(|member| each_object(member, look));
            }
            Value::Array(elements) => elements.iter().for_each(|element| each_object(element, look)),
            _ => {}
        }
    }

    #[test]
    fn it_has_every_path_and_method_and_none_else() {
        let document = parsed();
        let paths = document["paths"].as_object().expect("there are paths");
        assert_eq!(paths.len(), PATHS.len());
        for path in &PATHS {
            let expected: BTreeSet<&str> = path.methods.iter().copied().map(name).collect();
            let item = paths[path.template].as_object().expect("a path is an object");
            let found = item.keys().map(String::as_str).filter(|key| !["parameters", "description"].contains(key));
            assert_eq!(found.collect::<BTreeSet<_>>(), expected, "{}", path.template);
            let listed: Vec<String> = path.methods.iter().map(|method| name(*method).to_uppercase()).collect();
            assert_eq!(path.allowed, listed.join(", "));
        }
    }

    fn says_of_prefixes(description: &Value) {
        let text = description.as_str().expect("a description is text");
        assert!(text.contains(&format!("At most {PREFIX_COUNT_MAX} prefixes")), "{text}");
    }

    #[test]
    fn its_limits_are_ours() {
        let document = parsed();
        let config = Config::default();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Key"]["maxLength"], json!(HTTP_KEY_BYTES_MAX));
        assert_eq!(schemas["Prefix"]["maxLength"], json!(PREFIX_BYTES_MAX));
        says_of_prefixes(&document["paths"]["/cache"]["delete"]["description"]);
        assert_eq!(schemas["Value"]["maxLength"], json!(config.http_max_value));
        let put = &document["paths"]["/cache/{key}"]["put"];
        let value = &put["requestBody"]["content"]["application/octet-stream"]["schema"];
        assert_eq!(value["maxLength"], json!(config.http_max_value));
        assert_eq!(schemas["Database"]["maximum"], json!(config.databases - 1));
        assert_eq!(schemas["TtlSeconds"]["minimum"], json!(1));
        assert_eq!(schemas["TtlSeconds"]["maximum"], json!(HTTP_TTL_SECONDS_MAX));
        assert_eq!(schemas["Flags"]["maximum"], json!(u32::MAX));
        assert_eq!(schemas["Version"]["maximum"], json!(u64::MAX));
        assert_eq!(schemas["BatchGet"]["properties"]["get"]["maxItems"], json!(HTTP_BATCH_KEY_COUNT_MAX));
        assert_eq!(schemas["BatchPut"]["properties"]["put"]["maxItems"], json!(HTTP_BATCH_KEY_COUNT_MAX));
        let says = |text: &Value, limit: u64| {
            let text = text.as_str().expect("a description is text");
            assert!(text.contains(&limit.to_string()), "{limit} in {text}");
        };
        let batch = &document["paths"]["/cache/batch"]["post"]["description"];
        says(batch, HTTP_BATCH_BYTES_MAX);
        says(batch, HTTP_BATCH_RESPONSE_BYTES_MAX as u64);
        says(batch, HTTP_BATCH_KEY_COUNT_MAX as u64);
        says(&put["description"], config.http_max_value);
        let responses = &document["components"]["responses"];
        says(&responses["tooLong"]["description"], HTTP_BATCH_BYTES_MAX);
        says(&responses["tooLong"]["description"], HTTP_OTHER_BODY_BYTES_MAX);
        says(&responses["unauthorized"]["description"], HTTP_STRANGER_BODY_BYTES_MAX);
        says(&responses["targetTooLong"]["description"], HTTP_TARGET_BYTES_MAX as u64);
        says(&responses["headTooLong"]["description"], HTTP_HEAD_BYTES_MAX as u64);
        says(&responses["headTooLong"]["description"], HTTP_FIELD_COUNT_MAX as u64);
        for limit in [HTTP_TARGET_BYTES_MAX, HTTP_HEAD_BYTES_MAX, HTTP_FIELD_COUNT_MAX, HTTP_KEY_BYTES_MAX] {
            says(&document["info"]["description"], limit as u64);
        }
        assert_eq!(document["info"]["version"], json!(env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn it_names_the_files_of_the_console() {
        let files: Vec<&str> = ASSETS.iter().filter_map(|asset| asset.path.strip_prefix("/console/")).collect();
        assert_eq!(parsed()["components"]["parameters"]["file"]["schema"]["enum"], json!(files));
    }

    #[test]
    fn what_it_refers_to_is_there_and_used() {
        let document = parsed();
        let mut used = BTreeSet::new();
        each_object(&document, &mut |members| {
            if let Some(Value::String(reference)) = members.get("$ref") {
                let pointer = reference.strip_prefix('#').expect("references stay within the document");
                assert!(document.pointer(pointer).is_some(), "{reference}");
                used.insert(pointer.to_owned());
            }
        });
        for kind in ["parameters", "headers", "responses", "schemas"] {
            for name in document["components"][kind].as_object().expect("there are some").keys() {
                assert!(used.contains(&format!("/components/{kind}/{name}")), "{kind} {name} is used");
            }
        }
        let mut operations = BTreeSet::new();
        each_object(&document, &mut |members| {
            if let Some(id) = members.get("operationId") {
                assert!(operations.insert(id.to_string()), "{id} is one operation");
                for (status, response) in members["responses"].as_object().expect("an operation has responses") {
                    let number: u16 = status.parse().expect("a status is a number");
                    assert_ne!(locksley_wire::http::response::reason(number), "Unknown");
                    assert!(response.is_object());
                }
            }
        });
    }
}
