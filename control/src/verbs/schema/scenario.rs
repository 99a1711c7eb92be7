//! The JSON schema of scenario files, made of the tables that they are read by, so that editors
//! complete what the reader takes.

use densebots_scenarios::tree::{DescribedNode, Form, LEAVES, NODES};
use densebots_scenarios::vocabulary::{Described, LEXICONS};
use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

/// The schema of a whole file.
pub(super) fn schema() -> Schema {
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of densebots",
        "type": "object",
        "required": ["bots"],
        "additionalProperties": false,
        "properties": {
            "about": { "type": "string", "description": "What the bots do, in a sentence." },
            "target": {
                "type": "string",
                "description": "Where they go unless --target is given.",
            },
            "embedded": {
                "enum": ["echo", "line", "xmpp"],
                "description": "What the embedded target speaks, if there is no other.",
            },
            "parameters": {
                "type": "object",
                "additionalProperties": { "$ref": "#/$defs/parameter" },
            },
            "bots": {
                "anyOf": [
                    { "$ref": "#/$defs/bots" },
                    { "type": "array", "items": { "$ref": "#/$defs/bots" } },
                ],
            },
            "load": load(),
            "thresholds": { "type": "array", "items": { "type": "string" } },
            "trees": { "type": "object", "additionalProperties": { "$ref": "#/$defs/named" } },
        },
        "$defs": {
            "value": { "type": ["string", "number", "boolean"] },
            "parameter": parameter(),
            "bots": bots(),
            "named": {
                "anyOf": [
                    {
                        "type": "object",
                        "required": ["do"],
                        "additionalProperties": false,
                        "properties": {
                            "arguments": { "type": "array", "items": { "type": "string" } },
                            "do": { "$ref": "#/$defs/tree" },
                        },
                    },
                    { "$ref": "#/$defs/tree" },
                ],
            },
            "tree": {
                "anyOf": [
                    { "$ref": "#/$defs/step" },
                    { "type": "array", "items": { "$ref": "#/$defs/tree" } },
                ],
            },
            "step": step(),
        },
    })
}

fn load() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "bots": { "$ref": "#/$defs/value", "description": "How many: 500, 100k." },
            "arrive": { "type": "string", "description": "How fast until all are in: 500/s." },
            "ramp": { "type": "string", "description": "How long until all are in: 2m." },
            "open": { "type": "string", "description": "How fast without end: 500/s." },
            "for": { "type": "string", "description": "How long all are held: 10m." },
        },
    })
}

fn parameter() -> Value {
    let units = densebots_scenarios::file::Unit::ALL.map(|(name, _)| name);
    json!({
        "anyOf": [
            { "$ref": "#/$defs/value" },
            {
                "type": "object",
                "required": ["default"],
                "additionalProperties": false,
                "properties": {
                    "default": { "$ref": "#/$defs/value" },
                    "about": { "type": "string" },
                    "unit": { "enum": units },
                    "allowed": { "type": "array", "items": { "$ref": "#/$defs/value" } },
                    "range": { "type": "string", "description": "Least and most: 1..100." },
                    "changeable": { "type": "boolean" },
                },
            },
        ],
    })
}

fn bots() -> Value {
    json!({
        "type": "object",
        "required": ["tree"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string" },
            "weight": { "$ref": "#/$defs/value" },
            "count": { "$ref": "#/$defs/value" },
            "after_loss": { "enum": ["begin_again", "go_on"] },
            "variables": { "type": "object" },
            "tree": { "$ref": "#/$defs/tree" },
        },
    })
}

/// A step: a name alone, or a name with what belongs to it. Names of sub-trees are free.
fn step() -> Value {
    let nodes = NODES.iter().chain(LEAVES);
    let actions = || LEXICONS.iter().flat_map(|lexicon| lexicon.actions);
    let mut properties = Map::new();
    for node in nodes.clone() {
        properties.insert(node.name.to_owned(), node_schema(node));
    }
    for action in actions() {
        properties.insert(action.name.to_owned(), action_schema(action));
    }
    let names: Vec<&str> =
        nodes.map(|node| node.name).chain(actions().map(|action| action.name)).collect();
    json!({
        "anyOf": [
            { "enum": names },
            { "type": "string" },
            { "type": "object", "minProperties": 1, "maxProperties": 1, "properties": properties },
        ],
    })
}

fn form(form: Form) -> Value {
    match form {
        Form::Tree => json!({ "$ref": "#/$defs/tree" }),
        Form::Trees => json!({ "type": "array", "items": { "$ref": "#/$defs/tree" } }),
        Form::Weighted => json!({
            "type": "array",
            "items": {
                "type": "object",
                "required": ["weight", "do"],
                "additionalProperties": false,
                "properties": {
                    "weight": { "type": "integer", "minimum": 1 },
                    "do": { "$ref": "#/$defs/tree" },
                },
            },
        }),
        Form::Time | Form::Pause | Form::Truth => json!({ "type": "string" }),
        Form::Number => json!({ "type": ["number", "string"] }),
        Form::Text => json!({ "$ref": "#/$defs/value" }),
        Form::Switch => json!({ "type": "boolean" }),
        Form::Variables => json!({ "type": "object" }),
    }
}

fn node_schema(node: &DescribedNode) -> Value {
    let keys = node.keys.iter().map(|(key, own, about)| {
        let mut schema = form(*own);
        schema["description"] = json!(about);
        ((*key).to_owned(), schema)
    });
    let keyed = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": keys.collect::<Map<String, Value>>(),
    });
    let forms: Vec<Value> = match (node.alone, node.keys) {
        (Some(alone), []) => vec![form(alone)],
        (Some(alone), _) => vec![form(alone), keyed],
        (None, []) => vec![json!({ "type": "null" })],
        (None, _) => vec![keyed],
    };
    json!({ "description": node.about, "anyOf": forms })
}

fn action_schema(action: &Described) -> Value {
    let mut properties = Map::new();
    for argument in action.arguments {
        let schema = json!({ "$ref": "#/$defs/value", "description": argument.about });
        properties.insert(argument.name.to_owned(), schema);
    }
    if action.op.is_some() {
        let schema = json!({ "type": "string", "description": "How long it may take." });
        properties.insert("within".to_owned(), schema);
    }
    let keyed =
        json!({ "type": "object", "additionalProperties": false, "properties": properties });
    let nothing_needed = action.arguments.iter().all(|argument| argument.default.is_some());
    let mut forms = vec![json!({ "$ref": "#/$defs/value" }), keyed];
    forms.extend(nothing_needed.then(|| json!({ "type": "null" })));
    json!({ "description": action.about, "anyOf": forms })
}
