// SPDX-License-Identifier: Apache-2.0

/// The OpenAPI document of the inspector's API.
enum InspectorOpenAPI {
    private static let id =
        #"{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"}}"#

    static func query(_ name: String, _ type: String, _ description: String) -> String {
        #"{"name": "\#(name)", "in": "query", "description": "\#(description)", "schema": {"type": "\#(type)"}}"#
    }

    private static let secrets = #"""
        {"name": "secrets", "in": "query", "description": "Whether secrets are left out", "schema": {"type": "string", "enum": ["omit", "keep"], "default": "omit"}}
        """#

    /// An operation.
    static func operation(
        _ name: String,
        _ summary: String,
        parameters: [String] = [],
        body: String? = nil,
        answers: [(status: Int, description: String, type: String?)]
    ) -> String {
        let request = body.map {
            #", "requestBody": {"required": true, "content": {"application/json": {"schema": \#($0)}}}"#
        }
        let responses = answers.map { answer in
            let content = answer.type.map { #", "content": {"\#($0)": {}}"# } ?? ""
            return #""\#(answer.status)": {"description": "\#(answer.description)"\#(content)}"#
        }
        let problem =
            #""default": {"description": "A problem (RFC 9457) with a stable code", "content": {"application/problem+json": {}}}"#
        return #"""
            {"operationId": "\#(name)", "summary": "\#(summary)", "parameters": [\#(parameters.joined(separator: ", "))]\#(request ?? ""), "responses": {\#((responses + [problem]).joined(separator: ", "))}}
            """#
    }

    private static let replaySchema = #"""
        {"type": "object", "required": ["id"], "properties": {
          "id": {"type": "string"}, "tunnel_name": {"type": "string"}, "method": {"type": "string"}, "path": {"type": "string"},
          "fields": {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}},
          "body": {"type": "string"}, "body_base64": {"type": "string"},
          "times": {"type": "integer", "minimum": 1, "maximum": 100},
          "concurrency": {"type": "integer", "minimum": 1, "maximum": 10}}}
        """#

    private static let json = "application/json"
    private static let bytes = "application/octet-stream"
    private static let filters = [
        query("filter", "string", "Words that all have to match; docs/inspector.md lists them"),
        query("tunnel_name", "string", "Only requests of this tunnel"),
    ]

    /// The paths, each with its operations by method.
    static let paths: [(path: String, operations: [(method: String, text: String)])] = {
        let side = { (part: String) -> [(path: String, operations: [(method: String, text: String)])] in
            ["request", "response"].map { side in
                (
                    "/api/requests/http/{id}/\(side)/\(part)",
                    [
                        (
                            "get",
                            operation(
                                "\(side)\(part == "raw" ? "Raw" : "Body")",
                                part == "raw"
                                    ? "Head and content as they passed" : "The content, with its content coding",
                                parameters: [id] + (part == "raw" ? [] : bodyParameters),
                                answers: [(200, "The bytes, as an attachment", bytes)]
                            )
                        )
                    ]
                )
            }
        }
        return [
            (
                "/api",
                [("get", operation("root", "Where the rest is", answers: [(200, "Links and the version", json)]))]
            ),
            ("/api/status", [("get", operation("status", "How much is kept", answers: [(200, "Numbers", json)]))]),
            ("/api/tunnels", [("get", operation("tunnels", "The tunnels", answers: [(200, "A list", json)]))]),
            (
                "/api/tunnels/{name}",
                [
                    (
                        "get",
                        operation(
                            "tunnel",
                            "One tunnel",
                            parameters: [
                                #"{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}"#
                            ],
                            answers: [(200, "The tunnel", json)]
                        )
                    )
                ]
            ),
            ("/api/requests/http", listOperations),
            ("/api/requests/http/{id}", oneOperations),
        ] + side("body") + side("raw") + otherPaths + inboxPaths
    }()

    private static let bodyParameters = [
        query("stored", "string", "1: never with a Content-Encoding"),
        query("decoded", "string", "1: decoded (gzip, deflate)"),
    ]

    private static let listOperations = [
        (
            "get",
            operation(
                "listRequests",
                "Requests, the youngest first",
                parameters: filters + [
                    query("limit", "integer", "1 to 10000, 50 by default"),
                    query("before", "string", "Only older ones"),
                    query("fields", "string", "summary: lines instead of ngrok's form"),
                ],
                answers: [(200, "A list", json)]
            )
        ),
        (
            "post",
            operation(
                "replay",
                "Sends a request to the local server once more",
                body: replaySchema,
                answers: [(201, "The new requests", json), (204, "It is being sent", nil)]
            )
        ),
        ("delete", operation("clear", "Forgets all requests", answers: [(204, "They are gone", nil)])),
    ]

    private static let oneOperations = [
        (
            "get",
            operation(
                "request",
                "One request with its response",
                parameters: [
                    id, query("fields", "string", "detail: without the members raw; summary: its line of the list"),
                ],
                answers: [(200, "The request", json)]
            )
        ),
        (
            "delete",
            operation(
                "forget",
                "Forgets a request, and ends a replay that is open",
                parameters: [id],
                answers: [(204, "It is gone", nil)]
            )
        ),
    ]

    private static let otherPaths: [(path: String, operations: [(method: String, text: String)])] = [
        (
            "/api/requests/http/{id}/frames",
            [
                (
                    "get",
                    operation(
                        "frames",
                        "Messages of a WebSocket",
                        parameters: [
                            id, query("after", "integer", "The number of the last one known"),
                            query("limit", "integer", "1 to 2000, 500 by default"),
                        ],
                        answers: [(200, "Messages", json)]
                    )
                )
            ]
        ),
        (
            "/api/requests/http/{id}/curl",
            [
                (
                    "get",
                    operation(
                        "curl",
                        "A command line of curl",
                        parameters: [id, secrets, query("target", "string", "public: to the tunnel's URL")],
                        answers: [(200, "The command", "text/plain")]
                    )
                )
            ]
        ),
        (
            "/api/requests/har",
            [
                (
                    "get",
                    operation(
                        "exportArchive",
                        "An HTTP archive (HAR 1.2)",
                        parameters: [query("ids", "string", "Ids with commas between them"), filters[0], secrets],
                        answers: [(200, "The archive", json)]
                    )
                ),
                (
                    "post",
                    operation(
                        "importArchive",
                        "Adds the requests of an HTTP archive",
                        body: #"{"type": "object"}"#,
                        answers: [(201, "The new requests", json)]
                    )
                ),
            ]
        ),
        (
            "/api/events",
            [("get", operation("events", "What passes, as it passes", answers: [(200, "Events", "text/event-stream")]))]
        ),
        (
            "/api/openapi.json",
            [("get", operation("openapi", "This document", answers: [(200, "The document", json)]))]
        ),
    ]

    /// The document.
    ///
    /// - Parameter version: The version of the program.
    static func document(version: String) -> String {
        let paths = self.paths.map { path, operations in
            "\"\(path)\": {" + operations.map { "\"\($0.method)\": \($0.text)" }.joined(separator: ", ") + "}"
        }
        return #"""
            {"openapi": "3.1.0", "info": {"title": "Culvert inspector API", "version": "\#(version)", "description": "What passed the tunnels of this program. Methods other than GET need the field Content-Type: application/json."}, "paths": {\#(paths.joined(separator: ",\n"))}}
            """#
    }
}
