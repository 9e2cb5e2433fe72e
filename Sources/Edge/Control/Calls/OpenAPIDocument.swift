// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels

/// The description of the control API, `GET /api/openapi.json`; tests hold it to the router and the models.
enum OpenAPIDocument {
    /// The document (OpenAPI 3.1).
    ///
    /// - Parameter schema: What the policy of a tunnel may say.
    static func json(policy schema: PolicySchema) -> String {
        self.paths + self.inboxPaths + self.lastPaths + self.requests + schema.openAPI + self.inboxSchemas
            + self.responses
    }

    private static let paths = #"""
        {
          "openapi": "3.1.0",
          "info": {
            "title": "Culvert control API",
            "version": "1",
            "description": "Make and manage tunnels. Every error is a problem+json (RFC 9457) with a stable code; docs/errors.md lists the codes.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
          },
          "security": [{"apiKey": []}],
          "paths": {
            "/api/tunnels/create": {
              "post": {
                "operationId": "createTunnel",
                "summary": "Make a tunnel, or take one's own up again",
                "parameters": [{"$ref": "#/components/parameters/otp"}],
                "requestBody": {
                  "required": false,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CreateTunnelRequest"}}}
                },
                "responses": {
                  "201": {
                    "description": "The tunnel, with the token that serves it",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CreateTunnelResponse"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "409": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "415": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"},
                  "503": {"$ref": "#/components/responses/problem"}
                }
              }
            },
            "/api/tunnels/list": {
              "get": {
                "operationId": "listTunnels",
                "summary": "One's own tunnels, or all for an admin, by id",
                "parameters": [
                  {
                    "name": "limit", "in": "query", "description": "The most tunnels on the page",
                    "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
                  },
                  {
                    "name": "cursor", "in": "query", "description": "What next_cursor of the page before said",
                    "schema": {"$ref": "#/components/schemas/TunnelID"}
                  }
                ],
                "responses": {
                  "200": {
                    "description": "A page",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TunnelList"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"}
                }
              }
            },
            "/api/tunnels/{id}/status": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "get": {
                "operationId": "getTunnelStatus",
                "summary": "State, sessions and counters of a tunnel",
                "responses": {
                  "200": {
                    "description": "The tunnel",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TunnelStatus"}}}
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
            "/api/tunnels/{id}/token": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "post": {
                "operationId": "replaceTunnelTokens",
                "summary": "A new token; those before it end after an overlap",
                "parameters": [{"$ref": "#/components/parameters/otp"}],
                "responses": {
                  "201": {
                    "description": "The token",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TunnelTokenResponse"}}}
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
            "/api/tunnels/{id}/renew": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "post": {
                "operationId": "renewTunnelToken",
                "summary": "The token that follows one that is valid, which stays so until its own end",
                "security": [{"tunnelToken": []}, {"apiKey": []}],
                "parameters": [{"$ref": "#/components/parameters/otp"}],
                "responses": {
                  "201": {
                    "description": "The token",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TunnelRenewalResponse"}}}
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
            "/api/tunnels/{id}/access": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "post": {
                "operationId": "issueAccessToken",
                "summary": "An access token, with which somebody visits the tunnel through a WebSocket of their own",
                "parameters": [{"$ref": "#/components/parameters/otp"}],
                "requestBody": {
                  "required": false,
                  "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TunnelAccessRequest"}}}
                },
                "responses": {
                  "201": {
                    "description": "The access token",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TunnelAccessResponse"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "401": {"$ref": "#/components/responses/problem"},
                  "404": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "415": {"$ref": "#/components/responses/problem"},
                  "429": {"$ref": "#/components/responses/limited"},
                  "431": {"$ref": "#/components/responses/problem"}
                }
              },
              "delete": {
                "operationId": "revokeAccessTokens",
                "summary": "End every access token of the tunnel, and the connections of those who came with one",
                "parameters": [{"$ref": "#/components/parameters/otp"}],
                "responses": {
                  "204": {"description": "They have ended"},
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

    private static let lastPaths = #"""
            "/api/tunnels/{id}": {
              "parameters": [{"$ref": "#/components/parameters/id"}],
              "delete": {
                "operationId": "deleteTunnel",
                "summary": "Delete a tunnel, end its tokens and close its sessions",
                "parameters": [{"$ref": "#/components/parameters/otp"}],
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
            "/api/openapi.json": {
              "get": {
                "operationId": "getDescription",
                "summary": "This document",
                "security": [],
                "responses": {
                  "200": {
                    "description": "The document",
                    "content": {"application/json": {"schema": {"type": "object"}}}
                  },
                  "400": {"$ref": "#/components/responses/problem"},
                  "408": {"$ref": "#/components/responses/problem"},
                  "413": {"$ref": "#/components/responses/problem"},
                  "431": {"$ref": "#/components/responses/problem"}
                }
              }
            }
          },
          "components": {
            "securitySchemes": {
              "apiKey": {"type": "http", "scheme": "bearer"},
              "tunnelToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "parameters": {
              "id": {
                "name": "id", "in": "path", "required": true, "description": "The tunnel",
                "schema": {"$ref": "#/components/schemas/TunnelID"}
              },
              "message": {
                "name": "message", "in": "path", "required": true, "description": "The message",
                "schema": {"$ref": "#/components/schemas/InboxMessageID"}
              },
              "otp": {
                "name": "Culvert-OTP", "in": "header",
                "description": "The one-time code, if the key has a second factor",
                "schema": {"type": "string", "pattern": "^[0-9]{6}$"}
              }
            },
            "responses": {
              "problem": {
                "description": "What is wrong",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              },
              "limited": {
                "description": "Too many calls",
                "headers": {
                  "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}, "required": true},
                  "RateLimit": {
                    "description": "The limit that refused the call", "schema": {"type": "string"}, "required": true
                  },
                  "RateLimit-Policy": {
                    "description": "How much it allows in how many seconds", "schema": {"type": "string"},
                    "required": true
                  }
                },
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
              }
            },
        """#

    private static let requests = #"""

            "schemas": {
              "TunnelID": {"type": "string", "pattern": "^[a-z0-9-]{3,63}$", "minLength": 3, "maxLength": 63},
              "TunnelKind": {"enum": ["http", "tcp", "tls"]},
              "CreateTunnelRequest": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                  "name": {"type": ["string", "null"], "pattern": "^[a-z0-9-]{3,63}$"},
                  "local_port": {"type": ["integer", "null"], "minimum": 1, "maximum": 65535},
                  "kind": {
                    "oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/TunnelKind"}],
                    "description": "What the tunnel carries; http if it is left out."
                  },
                  "port": {
                    "type": ["integer", "null"], "minimum": 1, "maximum": 65535,
                    "description": "The wished port of the edge, for a public tunnel of kind tcp."
                  },
                  "public": {
                    "type": ["boolean", "null"],
                    "description": "Whether everybody may come; false makes a tunnel that is reached with access tokens alone."
                  },
                  "served_from": {
                    "type": ["string", "null"], "pattern": "^[a-z0-9-]{1,64}$", "minLength": 1, "maxLength": 64,
                    "description": "Names the machine and the local server, in a word of the caller's choice. A tunnel that a connector serves from another place is refused without pool."
                  },
                  "pool": {
                    "type": ["boolean", "null"],
                    "description": "Whether the tunnel may be served from several places at once."
                  },
                  "policy": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/TunnelPolicy"}]}
                },
                "anyOf": [
                  {"properties": {"port": {"type": "null"}}},
                  {"required": ["kind"], "properties": {"kind": {"const": "tcp"}, "public": {"enum": [true, null]}}}
                ]
              },
        """#

    private static let responses = #"""
              "TunnelAccessRequest": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                  "lifetime_seconds": {
                    "type": ["integer", "null"], "minimum": 1, "maximum": 31536000,
                    "description": "For how long the token is valid; a day if it is left out."
                  }
                }
              },
              "TunnelAccessResponse": {
                "type": "object",
                "additionalProperties": false,
                "required": ["tunnel_id", "token", "expires_at"],
                "properties": {
                  "tunnel_id": {"$ref": "#/components/schemas/TunnelID"},
                  "token": {"type": "string"},
                  "expires_at": {"type": "string", "format": "date-time"}
                }
              },
              "CreateTunnelResponse": {
                "type": "object",
                "additionalProperties": false,
                "required": ["tunnel_id", "kind", "url", "urls", "token", "expires_at"],
                "properties": {
                  "tunnel_id": {"$ref": "#/components/schemas/TunnelID"},
                  "name": {"type": "string"},
                  "kind": {"$ref": "#/components/schemas/TunnelKind"},
                  "url": {
                    "type": "string",
                    "format": "uri",
                    "description": "The public URL: at a host of the tunnel's own where there is one; tcp://host:port for kind tcp."
                  },
                  "urls": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "format": "uri"},
                    "description": "Every public URL, the one at a host of the tunnel's own first."
                  },
                  "token": {"type": "string"},
                  "expires_at": {"type": "string", "format": "date-time"},
                  "policy_removed": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"enum": ["basic_auth", "ip_allow", "ip_deny"]},
                    "description": "Members of the policy that kept visitors away from the tunnel before this call, and do so no more."
                  }
                }
              },
              "TunnelTokenResponse": {
                "type": "object",
                "additionalProperties": false,
                "required": ["tunnel_id", "token", "expires_at", "previous_end_at"],
                "properties": {
                  "tunnel_id": {"$ref": "#/components/schemas/TunnelID"},
                  "token": {"type": "string"},
                  "expires_at": {"type": "string", "format": "date-time"},
                  "previous_end_at": {"type": "string", "format": "date-time"}
                }
              },
              "TunnelRenewalResponse": {
                "type": "object",
                "additionalProperties": false,
                "required": ["tunnel_id", "token", "expires_at"],
                "properties": {
                  "tunnel_id": {"$ref": "#/components/schemas/TunnelID"},
                  "token": {"type": "string"},
                  "expires_at": {"type": "string", "format": "date-time"}
                }
              },
              "TunnelList": {
                "type": "object",
                "additionalProperties": false,
                "required": ["tunnels"],
                "properties": {
                  "tunnels": {"type": "array", "items": {"$ref": "#/components/schemas/TunnelStatus"}},
                  "next_cursor": {"$ref": "#/components/schemas/TunnelID"},
                  "partial": {
                    "type": "boolean",
                    "description": "There while the edge's registry is away: these are the tunnels of this edge alone"
                  }
                }
              },
              "TunnelStatus": {
                "type": "object",
                "additionalProperties": false,
                "required": ["tunnel_id", "kind", "url", "urls", "state", "created_at", "sessions", "counters"],
                "properties": {
                  "tunnel_id": {"$ref": "#/components/schemas/TunnelID"},
                  "name": {"type": "string"},
                  "kind": {"$ref": "#/components/schemas/TunnelKind"},
                  "url": {
                    "type": "string",
                    "format": "uri",
                    "description": "The public URL: at a host of the tunnel's own where there is one; tcp://host:port for kind tcp."
                  },
                  "urls": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "format": "uri"},
                    "description": "Every public URL, the one at a host of the tunnel's own first."
                  },
                  "visitors": {
                    "type": "object",
                    "additionalProperties": false,
                    "description": "Who may visit the tunnel, by its policy; without a member everybody may.",
                    "properties": {
                      "users": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                      "ip_allow": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                      "ip_deny": {"type": "array", "minItems": 1, "items": {"type": "string"}}
                    }
                  },
                  "state": {"enum": ["online", "offline", "draining"]},
                  "created_at": {"type": "string", "format": "date-time"},
                  "last_active_at": {"type": "string", "format": "date-time"},
                  "last_echo_at": {"type": "string", "format": "date-time"},
                  "sessions": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/SessionStatus"},
                    "description": "The connections of connectors to the edge that answers."
                  },
                  "elsewhere": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/components/schemas/OtherEdgeSessions"},
                    "description": "The other edges that have some. It is absent where none has any, and while the registry is away, which alone would know."
                  },
                  "counters": {"$ref": "#/components/schemas/TunnelCounters"}
                }
              },
              "OtherEdgeSessions": {
                "type": "object",
                "additionalProperties": false,
                "required": ["pod", "sessions"],
                "properties": {
                  "pod": {"type": "string"},
                  "sessions": {"type": "integer", "minimum": 1}
                }
              },
              "SessionStatus": {
                "type": "object",
                "additionalProperties": false,
                "required": ["session_id", "connected_at", "active_streams", "draining"],
                "properties": {
                  "session_id": {"type": "string"},
                  "remote_address": {"type": "string"},
                  "implementation": {"type": "string"},
                  "connected_at": {"type": "string", "format": "date-time"},
                  "round_trip_ms": {"type": "number"},
                  "last_echo_at": {"type": "string", "format": "date-time"},
                  "suspended_since": {"type": "string", "format": "date-time"},
                  "active_streams": {"type": "integer"},
                  "draining": {"type": "boolean"}
                }
              },
              "TunnelCounters": {
                "type": "object",
                "additionalProperties": false,
                "required": ["requests", "errors", "bytes_received", "bytes_sent"],
                "properties": {
                  "requests": {"type": "integer"},
                  "errors": {"type": "integer"},
                  "errors_by_code": {"type": "object", "additionalProperties": {"type": "integer"}},
                  "bytes_received": {"type": "integer"},
                  "bytes_sent": {"type": "integer"}
                }
              },
              "Problem": {
                "type": "object",
                "required": ["type", "title", "status", "code", "request_id"],
                "properties": {
                  "type": {"type": "string", "format": "uri"},
                  "title": {"type": "string"},
                  "status": {"type": "integer"},
                  "detail": {"type": "string"},
                  "code": {"type": "string", "pattern": "^[a-z_]+$"},
                  "field": {"type": "string"},
                  "request_id": {"type": "string"}
                }
              }
            }
          }
        }
        """#
}
