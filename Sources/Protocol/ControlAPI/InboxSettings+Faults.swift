// SPDX-License-Identifier: Apache-2.0

extension InboxSettings {
    /// What is wrong with settings, and where.
    package struct Fault: Error, Equatable, Sendable {
        /// The member, as in `keep.body_bytes`.
        package var field: String
        /// What is wrong with it: "has to be a number from 1 to 50".
        package var message: String
    }

    /// The first thing that can't be so; `nil` for settings that can be used.
    package var fault: Fault? {
        self.numbers ?? self.texts ?? self.verify.flatMap { Self.fault($0) }
    }

    /// The bounds of the members that are numbers, by their paths.
    package static let bounds: [(field: String, range: ClosedRange<Int>)] = [
        ("answer.status", 200...299),
        ("delivery.attempts", 1...50),
        ("delivery.timeout_seconds", 1...600),
        ("delivery.per_second", 1...1_000),
        ("keep.delivered_hours", 0...2_160),
        ("keep.waiting_hours", 1...2_160),
        ("keep.messages", 1...100_000),
        ("keep.bytes", 1_024...1_073_741_824),
        ("keep.body_bytes", 0...16_777_216),
        ("verify.tolerance_seconds", 1...86_400),
    ]

    private var numbers: Fault? {
        let values: [String: Int?] = [
            "answer.status": self.answer.status,
            "delivery.attempts": self.delivery.attempts,
            "delivery.timeout_seconds": self.delivery.timeoutSeconds,
            "delivery.per_second": self.delivery.perSecond,
            "keep.delivered_hours": self.keep.deliveredHours,
            "keep.waiting_hours": self.keep.waitingHours,
            "keep.messages": self.keep.messages,
            "keep.bytes": self.keep.bytes,
            "keep.body_bytes": self.keep.bodyBytes,
            "verify.tolerance_seconds": self.verify?.toleranceSeconds,
        ]
        for (field, range) in Self.bounds {
            guard let value = values[field] ?? nil, !range.contains(value) else { continue }
            return Fault(field: field, message: "has to be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return nil
    }

    private var texts: Fault? {
        for (index, method) in self.methods.enumerated() where !Self.isToken(method) || method == "CONNECT" {
            return Fault(field: "methods[\(index)]", message: "has to be a method such as POST")
        }
        guard (1...16).contains(self.methods.count) else {
            return Fault(field: "methods", message: "has to have 1 to 16 elements")
        }
        guard (1...64).contains(self.paths.count) else {
            return Fault(field: "paths", message: "has to have 1 to 64 elements")
        }
        for (index, path) in self.paths.enumerated() {
            let stars = path.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).count - 1
            guard path.hasPrefix("/"), path.utf8.count <= 512, Self.isVisible(path), !path.contains("?"), stars <= 8
            else {
                let message = "has to be a path such as /hooks/*, of 512 bytes and 8 asterisks at most"
                return Fault(field: "paths[\(index)]", message: message)
            }
        }
        guard self.echo.count <= 8 else { return Fault(field: "echo", message: "has to have 8 elements at most") }
        for (index, echo) in self.echo.enumerated() {
            let parts = echo.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2, parts[0] == "query" || parts[0] == "json", parts[1].utf8.count <= 64,
                Self.isVisible(parts[1])
            else { return Fault(field: "echo[\(index)]", message: "has to be query:NAME or json:NAME") }
        }
        guard Self.isFieldValue(self.answer.contentType), (1...200).contains(self.answer.contentType.utf8.count) else {
            return Fault(field: "answer.content_type", message: "has to be a media type")
        }
        guard (self.answer.body?.utf8.count ?? 0) <= 4_096 else {
            return Fault(field: "answer.body", message: "has to be 4096 bytes at most")
        }
        return nil
    }

    private static func fault(_ verify: Verification) -> Fault? {
        guard let secret = verify.secret, (1...1_024).contains(secret.utf8.count) else {
            return Fault(field: "verify.secret", message: "has to be a text of 1 to 1024 bytes")
        }
        guard verify.scheme == .generic else {
            return verify.generic.map { _ in
                Fault(field: "verify.generic", message: "is for the scheme generic alone")
            }
        }
        guard let generic = verify.generic else { return Fault(field: "verify.generic", message: "is missing") }
        for (name, text) in [("field", generic.field), ("time_field", generic.timeField ?? "x")]
        where !self.isToken(text) || text.utf8.count > 128 {
            return Fault(field: "verify.generic.\(name)", message: "has to be the name of a field")
        }
        for (name, text) in [("prefix", generic.prefix), ("template", generic.template)]
        where text.utf8.count > 512 {
            return Fault(field: "verify.generic.\(name)", message: "has to be 512 bytes at most")
        }
        guard generic.template.contains("{body}") else {
            return Fault(field: "verify.generic.template", message: "has to have {body} in it")
        }
        return nil
    }

    /// Whether a text is a token (RFC 9110 §5.6.2), as methods and names of fields are.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    private static func isVisible(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    private static func isFieldValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }
}
