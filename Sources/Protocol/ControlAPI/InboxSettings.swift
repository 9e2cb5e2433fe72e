// SPDX-License-Identifier: Apache-2.0

/// What an inbox keeps of a tunnel's requests, what it answers, and how it hands them over: the body of
/// `PUT /api/tunnels/{id}/inbox`.
///
/// What is left out has its default.
package struct InboxSettings: Codable, Equatable, Sendable {
    /// When a request is kept.
    package enum When: String, Codable, CaseIterable, Sendable {
        /// Only if nobody can take it.
        case unreachable
        /// Each: it is answered at once, and handed over behind the answer.
        case always
    }

    /// What the sender is told of a request that was kept.
    package struct Answer: Codable, Equatable, Sendable {
        /// A status of 200 to 299.
        package var status = 202
        /// The value of `Content-Type`.
        package var contentType = "application/json"
        /// The body, 4 KiB at most; `nil` names the message.
        package var body: String?

        /// Makes the answer that is given by default.
        package init() {}
    }

    /// How a sender's signature is checked.
    package struct Verification: Codable, Equatable, Sendable {
        /// Whose signatures they are.
        package enum Scheme: String, Codable, CaseIterable, Sendable {
            case github
            case stripe
            case slack
            case standard
            case shopify
            case generic
        }

        /// What happens to a request whose signature is wrong.
        package enum Failure: String, Codable, CaseIterable, Sendable {
            /// It is answered 401.
            case refuse
            /// It is let through, and marked if it is kept.
            case mark
        }

        package var scheme: Scheme
        /// The secret that sender and edge share; never told again.
        package var secret: String?
        package var onFailure = Failure.refuse
        /// How far from now a signature's time may be, in seconds; `nil` is the scheme's own: five minutes.
        package var toleranceSeconds: Int?
        /// What the generic scheme is made of; `nil` for the others.
        package var generic: GenericSignature?

        /// Makes a verification.
        package init(scheme: Scheme, secret: String?) {
            self.scheme = scheme
            self.secret = secret
        }
    }

    /// A signature scheme that is none of the presets: `encode(HMAC-hash(secret, render(template)))`.
    package struct GenericSignature: Codable, Equatable, Sendable {
        /// The hash function.
        package enum Hash: String, Codable, CaseIterable, Sendable {
            case sha1
            case sha256
            case sha512
        }

        /// How the signature is written.
        package enum Coding: String, Codable, CaseIterable, Sendable {
            case hex
            case base64
        }

        /// The field that has the signature.
        package var field: String
        /// What stands before it.
        package var prefix = ""
        package var hash = Hash.sha256
        package var coding = Coding.hex
        /// What is signed: text with `{body}`, `{method}`, `{path}` and `{header:NAME}` in it.
        package var template = "{body}"
        /// The field that has the time, in seconds since 1970; `nil` if there is none.
        package var timeField: String?

        /// Makes a scheme with the usual parts.
        package init(field: String) {
            self.field = field
        }
    }

    /// How messages are handed over.
    package struct Delivery: Codable, Equatable, Sendable {
        /// In which order.
        package enum Order: String, Codable, CaseIterable, Sendable {
            /// One after the other: one that fails holds those behind it.
            case strict
            /// One that fails steps aside.
            case any
        }

        /// How often the app may refuse a message until it is dead.
        package var attempts = 8
        /// How long the app has for its answer.
        package var timeoutSeconds = 30
        package var order = Order.strict
        /// The most messages a second, so that an app that comes back is not run over.
        package var perSecond = 10

        /// Makes the delivery that there is by default.
        package init() {}
    }

    /// What is kept at most, and for how long.
    package struct Keep: Codable, Equatable, Sendable {
        /// How long after its delivery a message can be looked at.
        package var deliveredHours = 72
        /// After how long a message that nobody took is dead.
        package var waitingHours = 168
        /// The most messages.
        package var messages = 10_000
        /// The most bytes of heads and bodies.
        package var bytes = 104_857_600
        /// The longest body.
        package var bodyBytes = 1_048_576

        /// Makes the bounds that there are by default.
        package init() {}
    }

    package var when = When.unreachable
    /// The methods whose requests are kept.
    package var methods = ["POST", "PUT", "PATCH"]
    /// Which paths, as the app sees them: `*` stands for anything within a segment, `**` for anything.
    package var paths = ["/**"]
    package var answer = Answer()
    /// The handshakes that are answered while nobody can take a request: `query:NAME` and `json:NAME`.
    package var echo: [String] = []
    package var verify: Verification?
    package var delivery = Delivery()
    package var keep = Keep()

    /// Makes the settings that an empty object stands for.
    package init() {}

    /// The same without what is never told again.
    package var withoutSecret: InboxSettings {
        var copy = self
        copy.verify?.secret = nil
        return copy
    }
}

extension KeyedDecodingContainer {
    fileprivate func value<Value: Decodable>(_ key: Key, or fallback: Value) throws -> Value {
        try self.decodeIfPresent(Value.self, forKey: key) ?? fallback
    }
}

extension InboxSettings {
    private enum CodingKeys: String, CodingKey {
        case when, methods, paths, answer, echo, verify, delivery, keep
    }

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        self.when = try members.value(.when, or: self.when)
        self.methods = try members.value(.methods, or: self.methods)
        self.paths = try members.value(.paths, or: self.paths)
        self.answer = try members.value(.answer, or: self.answer)
        self.echo = try members.value(.echo, or: self.echo)
        self.verify = try members.decodeIfPresent(Verification.self, forKey: .verify)
        self.delivery = try members.value(.delivery, or: self.delivery)
        self.keep = try members.value(.keep, or: self.keep)
    }
}

extension InboxSettings.Answer {
    private enum CodingKeys: String, CodingKey {
        case status
        case contentType = "content_type"
        case body
    }

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        self.status = try members.value(.status, or: self.status)
        self.contentType = try members.value(.contentType, or: self.contentType)
        self.body = try members.decodeIfPresent(String.self, forKey: .body)
    }
}

extension InboxSettings.Verification {
    private enum CodingKeys: String, CodingKey {
        case scheme, secret
        case onFailure = "on_failure"
        case toleranceSeconds = "tolerance_seconds"
        case generic
    }

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            scheme: try members.decode(Scheme.self, forKey: .scheme),
            secret: try members.decodeIfPresent(String.self, forKey: .secret)
        )
        self.onFailure = try members.value(.onFailure, or: self.onFailure)
        self.toleranceSeconds = try members.decodeIfPresent(Int.self, forKey: .toleranceSeconds)
        self.generic = try members.decodeIfPresent(InboxSettings.GenericSignature.self, forKey: .generic)
    }
}

extension InboxSettings.GenericSignature {
    private enum CodingKeys: String, CodingKey {
        case field, prefix, hash, coding, template
        case timeField = "time_field"
    }

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init(field: try members.decode(String.self, forKey: .field))
        self.prefix = try members.value(.prefix, or: self.prefix)
        self.hash = try members.value(.hash, or: self.hash)
        self.coding = try members.value(.coding, or: self.coding)
        self.template = try members.value(.template, or: self.template)
        self.timeField = try members.decodeIfPresent(String.self, forKey: .timeField)
    }
}

extension InboxSettings.Delivery {
    private enum CodingKeys: String, CodingKey {
        case attempts
        case timeoutSeconds = "timeout_seconds"
        case order
        case perSecond = "per_second"
    }

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        self.attempts = try members.value(.attempts, or: self.attempts)
        self.timeoutSeconds = try members.value(.timeoutSeconds, or: self.timeoutSeconds)
        self.order = try members.value(.order, or: self.order)
        self.perSecond = try members.value(.perSecond, or: self.perSecond)
    }
}

extension InboxSettings.Keep {
    private enum CodingKeys: String, CodingKey {
        case deliveredHours = "delivered_hours"
        case waitingHours = "waiting_hours"
        case messages, bytes
        case bodyBytes = "body_bytes"
    }

    package init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        self.init()
        self.deliveredHours = try members.value(.deliveredHours, or: self.deliveredHours)
        self.waitingHours = try members.value(.waitingHours, or: self.waitingHours)
        self.messages = try members.value(.messages, or: self.messages)
        self.bytes = try members.value(.bytes, or: self.bytes)
        self.bodyBytes = try members.value(.bodyBytes, or: self.bodyBytes)
    }
}
