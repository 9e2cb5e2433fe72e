// SPDX-License-Identifier: Apache-2.0

/// What the document says of webhook inboxes.
extension OpenAPIDocument {
    static let inboxPaths = #"""

            "/api/tunnels/{id}/inbox": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "put": {
                "operationId": "setInbox",
                "summary": "Make an inbox for a tunnel, or change it",
                "parameters": [
                  {"$ref": "#/components/parameters/otp"}
                ],
                "requestBody": {
                  "required": false,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxSettings"}}}
                },
                "responses": {
                  "200": {
                    "description": "The inbox",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxStatus"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "409": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "415": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              },
              "get": {
                "operationId": "getInbox",
                "summary": "The inbox of a tunnel, and how much is in it",
                "responses": {
                  "200": {
                    "description": "The inbox",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxStatus"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              },
              "delete": {
                "operationId": "deleteInbox",
                "summary": "Delete an inbox with all that is in it",
                "parameters": [
                  {"$ref": "#/components/parameters/otp"}
                ],
                "responses": {
                  "204": {"description": "It is gone"},
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              }
            },
            "/api/tunnels/{id}/inbox/deliver": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "post": {
                "operationId": "deliverDeadMessages",
                "summary": "Deliver again what is dead, the oldest thousand messages",
                "parameters": [
                  {"$ref": "#/components/parameters/otp"}
                ],
                "responses": {
                  "200": {
                    "description": "How many there were",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxChange"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              }
            },
            "/api/tunnels/{id}/inbox/messages": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "get": {
                "operationId": "listMessages",
                "summary": "Messages of an inbox, the newest first",
                "parameters": [
                  {"name": "state", "in": "query", "description": "Those in this state alone", "schema": {"$ref": "#/components/schemas/InboxMessageState"}},
                  {
                    "name": "limit", "in": "query", "description": "The most messages on the page",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
                  },
                  {
                    "name": "cursor", "in": "query", "description": "What next_cursor of the page before said",
                    "schema": {"$ref": "#/components/schemas/InboxMessageID"}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "A page",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxMessageList"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              }
            },
            "/api/tunnels/{id}/inbox/messages/{message}": {
              "parameters": [{"$ref": "#/components/parameters/id"}, {"$ref": "#/components/parameters/message"}],
              "get": {
                "operationId": "getMessage",
                "summary": "A message with its head and body",
                "responses": {
                  "200": {
                    "description": "The message",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxMessageContent"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              },
              "delete": {
                "operationId": "deleteMessage",
                "summary": "Delete a message",
                "parameters": [
                  {"$ref": "#/components/parameters/otp"}
                ],
                "responses": {
                  "204": {"description": "It is gone"},
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              }
            },
            "/api/tunnels/{id}/inbox/messages/{message}/deliver": {
              "parameters": [{"$ref": "#/components/parameters/id"}, {"$ref": "#/components/parameters/message"}],
              "post": {
                "operationId": "deliverMessage",
                "summary": "Deliver a message, once more if it was",
                "parameters": [
                  {"$ref": "#/components/parameters/otp"}
                ],
                "responses": {
                  "200": {
                    "description": "It waits for that",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxChange"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              }
            },
            "/api/tunnels/{id}/inbox/messages/{message}/skip": {
              "parameters": [{"$ref": "#/components/parameters/id"}, {"$ref": "#/components/parameters/message"}],
              "post": {
                "operationId": "skipMessage",
                "summary": "Give up a message that waits, so that it holds up no other",
                "parameters": [
                  {"$ref": "#/components/parameters/otp"}
                ],
                "responses": {
                  "200": {
                    "description": "It is dead",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/InboxChange"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              }
            },

        """#

    static let inboxSchemas = #"""

              "InboxMessageID": {"type": "string", "pattern": "^msg_[a-z2-7]{20}$", "minLength": 24, "maxLength": 24},
              "InboxMessageState": {"enum": ["waiting", "delivered", "dead"]},
              "InboxSettings": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                  "when": {"enum": ["unreachable", "always", null]},
                  "methods": {
                    "type": ["array", "null"], "minItems": 1, "maxItems": 16,
                    "items": {"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"}
                  },
                  "paths": {
                    "type": ["array", "null"], "minItems": 1, "maxItems": 64,
                    "items": {"type": "string", "pattern": "^/[!->@-~]{0,511}$"}
                  },
                  "answer": {
                    "type": ["object", "null"],
                    "additionalProperties": false,
                    "properties": {
                      "status": {"type": ["integer", "null"], "minimum": 200, "maximum": 299},
                      "content_type": {"type": ["string", "null"], "pattern": "^[ -~]{1,200}$"},
                      "body": {"type": ["string", "null"], "maxLength": 4096}
                    }
                  },
                  "echo": {
                    "type": ["array", "null"], "maxItems": 8,
                    "items": {"type": "string", "pattern": "^(query|json):[!-~]{1,64}$"}
                  },
                  "verify": {
                    "type": ["object", "null"],
                    "additionalProperties": false,
                    "required": ["scheme"],
                    "properties": {
                      "scheme": {"enum": ["github", "stripe", "slack", "standard", "shopify", "generic"]},
                      "secret": {
                        "type": ["string", "null"], "minLength": 1, "maxLength": 1024, "writeOnly": true,
                        "description": "Without one the inbox keeps the secret that it has."
                      },
                      "on_failure": {"enum": ["refuse", "mark", null]},
                      "tolerance_seconds": {"type": ["integer", "null"], "minimum": 1, "maximum": 86400},
                      "generic": {
                        "type": ["object", "null"],
                        "additionalProperties": false,
                        "required": ["field"],
                        "properties": {
                          "field": {"type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"},
                          "prefix": {"type": ["string", "null"], "maxLength": 512},
                          "hash": {"enum": ["sha1", "sha256", "sha512", null]},
                          "coding": {"enum": ["hex", "base64", null]},
                          "template": {"type": ["string", "null"], "pattern": "[{]body[}]", "maxLength": 512},
                          "time_field": {"type": ["string", "null"], "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"}
                        }
                      }
                    },
                    "if": {"properties": {"scheme": {"const": "generic"}}},
                    "then": {"required": ["generic"]},
                    "else": {"properties": {"generic": false}}
                  },
                  "delivery": {
                    "type": ["object", "null"],
                    "additionalProperties": false,
                    "properties": {
                      "attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": 50},
                      "timeout_seconds": {"type": ["integer", "null"], "minimum": 1, "maximum": 600},
                      "order": {"enum": ["strict", "any", null]},
                      "per_second": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000}
                    }
                  },
                  "keep": {
                    "type": ["object", "null"],
                    "additionalProperties": false,
                    "properties": {
                      "delivered_hours": {"type": ["integer", "null"], "minimum": 0, "maximum": 2160},
                      "waiting_hours": {"type": ["integer", "null"], "minimum": 1, "maximum": 2160},
                      "messages": {"type": ["integer", "null"], "minimum": 1, "maximum": 100000},
                      "bytes": {"type": ["integer", "null"], "minimum": 1024, "maximum": 1073741824},
                      "body_bytes": {"type": ["integer", "null"], "minimum": 0, "maximum": 16777216}
                    }
                  }
                }
              },
              "InboxStatus": {
                "type": "object",
                "additionalProperties": false,
                "required": ["tunnel_id", "settings", "waiting", "delivered", "dead", "bytes"],
                "properties": {
                  "tunnel_id": {"$ref": "#/components/schemas/TunnelID"},
                  "settings": {"type": "object", "description": "The settings with their defaults, without the secret."},
                  "waiting": {"type": "integer"},
                  "delivered": {"type": "integer"},
                  "dead": {"type": "integer"},
                  "bytes": {"type": "integer"},
                  "oldest_waiting_at": {"type": "string", "format": "date-time"}
                }
              },
              "InboxMessage": {
                "type": "object",
                "additionalProperties": false,
                "required": ["id", "state", "received_at", "method", "target", "size", "attempts"],
                "properties": {
                  "id": {"$ref": "#/components/schemas/InboxMessageID"},
                  "state": {"$ref": "#/components/schemas/InboxMessageState"},
                  "received_at": {"type": "string", "format": "date-time"},
                  "method": {"type": "string"},
                  "target": {"type": "string"},
                  "size": {"type": "integer"},
                  "verified": {"type": "boolean"},
                  "attempts": {"type": "integer"},
                  "due_at": {"type": "string", "format": "date-time"},
                  "last_status": {"type": "integer"},
                  "last_error": {"type": "string"}
                }
              },
              "InboxMessageList": {
                "type": "object",
                "additionalProperties": false,
                "required": ["messages"],
                "properties": {
                  "messages": {"type": "array", "items": {"$ref": "#/components/schemas/InboxMessage"}},
                  "next_cursor": {"$ref": "#/components/schemas/InboxMessageID"}
                }
              },
              "InboxMessageContent": {
                "type": "object",
                "additionalProperties": false,
                "required": ["message", "head", "body_base64"],
                "properties": {
                  "message": {"$ref": "#/components/schemas/InboxMessage"},
                  "head": {"type": "string"},
                  "body_base64": {"type": "string"}
                }
              },
              "InboxChange": {
                "type": "object",
                "additionalProperties": false,
                "required": ["changed"],
                "properties": {"changed": {"type": "integer"}}
              },

        """#
}
