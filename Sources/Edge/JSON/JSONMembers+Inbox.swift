// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension JSONMembers {
    /// The body of `PUT /api/tunnels/{id}/inbox`.
    package static let inbox: JSONMembers = {
        let bounds = Dictionary(uniqueKeysWithValues: InboxSettings.bounds)
        func number(_ field: String) -> JSONMembers { bounds[field].map { .number($0) } ?? .leaf }
        typealias Generic = InboxSettings.GenericSignature
        return .object([
            "when": .choice(InboxSettings.When.allCases.map(\.rawValue)), "methods": .leaf, "paths": .leaf,
            "answer": .object(["status": number("answer.status"), "content_type": .leaf, "body": .leaf]),
            "echo": .leaf,
            "verify": .object([
                "scheme": .choice(InboxSettings.Verification.Scheme.allCases.map(\.rawValue)), "secret": .leaf,
                "on_failure": .choice(InboxSettings.Verification.Failure.allCases.map(\.rawValue)),
                "tolerance_seconds": number("verify.tolerance_seconds"),
                "generic": .object([
                    "field": .leaf, "prefix": .leaf, "hash": .choice(Generic.Hash.allCases.map(\.rawValue)),
                    "coding": .choice(Generic.Coding.allCases.map(\.rawValue)), "template": .leaf,
                    "time_field": .leaf,
                ]),
            ]),
            "delivery": .object([
                "attempts": number("delivery.attempts"), "timeout_seconds": number("delivery.timeout_seconds"),
                "order": .choice(InboxSettings.Delivery.Order.allCases.map(\.rawValue)),
                "per_second": number("delivery.per_second"),
            ]),
            "keep": .object([
                "delivered_hours": number("keep.delivered_hours"), "waiting_hours": number("keep.waiting_hours"),
                "messages": number("keep.messages"), "bytes": number("keep.bytes"),
                "body_bytes": number("keep.body_bytes"),
            ]),
        ])
    }()
}
