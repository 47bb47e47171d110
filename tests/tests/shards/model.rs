//! Random pipelines against a plain map that says what every reply has to be.

use std::collections::BTreeMap;

use locksley_tests::client::request;
use locksley_tests::seed::{Random, seed_of_run};

use crate::start;

/// What one store holds: texts by key.
type Model = BTreeMap<String, String>;

/// One random request and the reply that the model gives to it.
fn step(random: &mut Random, model: &mut Model) -> (Vec<String>, String) {
    let mut key = || format!("k{}", random.below(40));
    let (first, second, third) = (key(), key(), key());
    let number = random.below(1000).to_string();
    let text = |text: Option<&String>| text.map_or("nil".to_owned(), |text| format!("\"{text}\""));
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    match random.below(14) {
        0 => {
            model.insert(first.clone(), number.clone());
            (words(&["SET", &first, &number]), "+OK".into())
        }
        1 => (words(&["GET", &first]), text(model.get(&first))),
        2 => {
            let keys = [&first, &second, &third];
            let count = keys.into_iter().filter(|key| model.remove(*key).is_some()).count();
            (words(&["DEL", &first, &second, &third]), format!(":{count}"))
        }
        3 => {
            let values: Vec<String> = [&first, &second, &third].map(|key| text(model.get(key))).to_vec();
            (words(&["MGET", &first, &second, &third]), format!("[{}]", values.join(", ")))
        }
        4 => {
            for key in [&first, &second, &third] {
                model.insert(key.clone(), number.clone());
            }
            (words(&["MSET", &first, &number, &second, &number, &third, &number]), "+OK".into())
        }
        5 => {
            let is_free = !model.contains_key(&first) && !model.contains_key(&second);
            if is_free {
                model.insert(first.clone(), number.clone());
                model.insert(second.clone(), number.clone());
            }
            (words(&["MSETNX", &first, &number, &second, &number]), format!(":{}", u8::from(is_free)))
        }
        6 => match model.remove(&first) {
            None => (words(&["RENAME", &first, &second]), "-ERR no such key".into()),
            Some(value) => {
                model.insert(second.clone(), value);
                (words(&["RENAME", &first, &second]), "+OK".into())
            }
        },
        7 => {
            let reply = match model.get(&first) {
                None => "-ERR no such key",
                Some(_) if model.contains_key(&second) => ":0",
                Some(_) => {
                    let value = model.remove(&first).expect("it was there");
                    model.insert(second.clone(), value);
                    ":1"
                }
            };
            (words(&["RENAMENX", &first, &second]), reply.into())
        }
        8 if first != second => {
            let value = model.get(&first).cloned();
            let reply = format!(":{}", u8::from(value.is_some()));
            if let Some(value) = value {
                model.insert(second.clone(), value);
            }
            (words(&["COPY", &first, &second, "REPLACE"]), reply)
        }
        9 => {
            let count = [&first, &second, &third].into_iter().filter(|key| model.contains_key(*key)).count();
            (words(&["EXISTS", &first, &second, &third]), format!(":{count}"))
        }
        10 => {
            let value = model.entry(first.clone()).or_insert_with(|| "0".into());
            match value.parse::<i64>() {
                // A text that is not written as an integer is (007) is none.
                Ok(old) if old.to_string() == *value => {
                    *value = (old + 1).to_string();
                    (words(&["INCR", &first]), format!(":{value}"))
                }
                _ => (words(&["INCR", &first]), "-ERR value is not an integer or out of range".into()),
            }
        }
        11 => {
            let value = model.entry(first.clone()).or_default();
            // Short, or the numbers would leave 64 bits and the texts grow without end.
            if value.len() > 12 {
                value.clear();
                value.push('7');
                (words(&["SET", &first, "7"]), "+OK".into())
            } else {
                value.push_str(&number);
                (words(&["APPEND", &first, &number]), format!(":{}", value.len()))
            }
        }
        12 => (words(&["DBSIZE"]), format!(":{}", model.len())),
        _ => {
            let old = model.insert(first.clone(), number.clone());
            (words(&["SET", &first, &number, "GET"]), text(old.as_ref()))
        }
    }
}

#[test]
fn random_pipelines_agree_with_a_map() {
    let seed = seed_of_run("random_pipelines_agree_with_a_map");
    for shards in [1, 2, 3, 4] {
        let mut random = Random::new(seed ^ u64::from(shards));
        let server = start(shards);
        let mut client = server.connect();
        let mut model = Model::new();
        for batch in 0..400 {
            let mut bytes = Vec::new();
            let mut expected = Vec::new();
            for _ in 0..=random.below(60) {
                let (words, reply) = step(&mut random, &mut model);
                bytes.extend(request(&words));
                expected.push((words, reply));
            }
            client.send_raw(&bytes).expect("the server reads");
            for (words, expected) in expected {
                let reply = client.read().unwrap_or_else(|error| panic!("{words:?}: {error}")).to_string();
                assert_eq!(reply, expected, "{shards} shards, batch {batch} of seed {seed}: {words:?}");
            }
        }
    }
}
