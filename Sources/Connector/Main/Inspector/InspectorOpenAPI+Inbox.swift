// SPDX-License-Identifier: Apache-2.0

extension InspectorOpenAPI {
    private static let tunnel = #"{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}"#
    private static let message = #"""
        {"name": "message", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^msg_[a-z2-7]{20}$"}}
        """#
    private static let json = "application/json"

    private static let changeSchema = #"""
        {"type": "object", "properties": {"method": {"type": "string"}, "path": {"type": "string"},
          "fields": {"type": "array", "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}},
          "body": {"type": "string"}, "body_base64": {"type": "string"}}}
        """#

    /// The calls about the inboxes of tunnels, each with its operations by method.
    static let inboxPaths: [(path: String, operations: [(method: String, text: String)])] = {
        let list = "/api/tunnels/{name}/inbox/messages"
        let one = "\(list)/{message}"
        let bytes = "application/octet-stream"
        let changed = [(status: 200, description: "How many were changed", type: json as String?)]
        func of(_ name: String, _ summary: String, _ answer: String, _ type: String) -> String {
            operation(name, summary, parameters: [tunnel, message], answers: [(200, answer, type)])
        }
        return [
            (
                "/api/tunnels/{name}/inbox",
                [
                    (
                        "get",
                        operation(
                            "inbox",
                            "How much the inbox of a tunnel has, asked of its edge",
                            parameters: [tunnel],
                            answers: [(200, "Settings and numbers", json)]
                        )
                    )
                ]
            ),
            (
                "/api/tunnels/{name}/inbox/deliver",
                [
                    (
                        "post",
                        operation(
                            "deliverDead",
                            "Has the edge deliver what is dead",
                            parameters: [tunnel],
                            answers: changed
                        )
                    )
                ]
            ),
            (
                list,
                [
                    (
                        "get",
                        operation(
                            "inboxMessages",
                            "Messages of the inbox, the newest first",
                            parameters: [
                                tunnel, query("state", "string", "waiting, delivered or dead"),
                                query("limit", "integer", "1 to 200, 50 by default"),
                                query("cursor", "string", "What next_cursor said"),
                            ],
                            answers: [(200, "A list", json)]
                        )
                    )
                ]
            ),
            (
                one,
                [
                    ("get", of("inboxMessage", "One message, as the local server gets it", "The message", json)),
                    (
                        "delete",
                        operation(
                            "deleteMessage",
                            "Deletes a message",
                            parameters: [tunnel, message],
                            answers: [(204, "It is gone", nil)]
                        )
                    ),
                ]
            ),
            (
                "\(one)/body",
                [
                    (
                        "get",
                        of("messageBody", "The content, with its content coding", "The bytes, as an attachment", bytes)
                    )
                ]
            ),
            (
                "\(one)/raw",
                [
                    (
                        "get",
                        of(
                            "messageRaw",
                            "The head as the sender wrote it, and the content",
                            "The bytes, as an attachment",
                            bytes
                        )
                    )
                ]
            ),
            (
                "\(one)/deliver",
                [
                    (
                        "post",
                        operation(
                            "deliverMessage",
                            "Has the edge deliver a message, once more if it was",
                            parameters: [tunnel, message],
                            answers: changed
                        )
                    )
                ]
            ),
            (
                "\(one)/skip",
                [
                    (
                        "post",
                        operation(
                            "skipMessage",
                            "Gives up a message that waits",
                            parameters: [tunnel, message],
                            answers: changed
                        )
                    )
                ]
            ),
            (
                "\(one)/send",
                [
                    (
                        "post",
                        operation(
                            "sendMessage",
                            "Sends a message to the local server, changed; at the edge it stays as it is",
                            parameters: [tunnel, message],
                            body: changeSchema,
                            answers: [(201, "The new request", json)]
                        )
                    )
                ]
            ),
        ]
    }()
}
