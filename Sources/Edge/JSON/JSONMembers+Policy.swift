// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension JSONMembers {
    /// The body of `POST /api/tunnels/create`.
    ///
    /// - Parameter schema: What a policy may say; everything else is refused, naming the member.
    package static func createTunnel(_ schema: PolicySchema) -> JSONMembers {
        .object([
            "name": .leaf, "local_port": .number(1...65535), "policy": .policy(schema),
            "kind": .choice(TunnelKind.allCases.map(\.rawValue)), "port": .number(1...65535), "public": .leaf,
            "served_from": .checked(Self.place), "pool": .leaf,
        ])
    }

    /// The longest word for a place that a tunnel is served from.
    package static let longestPlace = 64

    private static func place(_ value: JSONOutline, at path: String) -> JSONFault? {
        // What is no text is left to the decoder.
        guard case .string(let text) = value else { return nil }
        let isWord = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
        guard isWord, (1...Self.longestPlace).contains(text.utf8.count) else {
            return JSONFault(field: path, message: "has to be 1 to \(Self.longestPlace) of a-z, 0-9 and -")
        }
        return nil
    }

    /// The body of `POST /api/tunnels/{id}/access`.
    package static let accessTunnel = JSONMembers.object([
        "lifetime_seconds": .number(TunnelAccessRequest.lifetimes)
    ])

    /// A policy with the members of a schema.
    package static func policy(_ schema: PolicySchema) -> JSONMembers {
        var members: [String: JSONMembers] = [:]
        for member in schema.members {
            members[member.name] = .checked { value, path in member.kind.fault(in: value, at: path) }
        }
        return .object(members)
    }
}

extension PolicyKind {
    /// Finds the first thing that is wrong with a member as JSON has it; `null` is as if it were left out.
    fileprivate func fault(in json: JSONOutline, at path: String) -> JSONFault? {
        do {
            guard let value = try self.value(of: json, at: path), let fault = self.fault(in: value) else { return nil }
            return JSONFault(field: path + fault.place, message: fault.message)
        } catch {
            return error
        }
    }

    /// The value that JSON stands for; `nil` for `null`.
    private func value(of json: JSONOutline, at path: String) throws(JSONFault) -> PolicyValue? {
        switch (self, json) {
        case (_, .null):
            return nil
        case (.choice, .string(let text)), (.text, .string(let text)):
            return .text(text)
        case (.number, .number(let text)), (.seconds, .number(let text)):
            // 3000.0 and 3e3 are whole numbers as well.
            guard let number = Double(text).flatMap({ Int(exactly: $0) }) else {
                throw JSONFault(field: path, message: "has to be \(self.requirement)")
            }
            return .number(number)
        case (.toggle, .boolean(let isOn)):
            return .toggle(isOn)
        case (.texts, .array(let elements)):
            var texts: [String] = []
            for (index, element) in elements.enumerated() {
                texts.append(try Self.text(element, at: JSONPath.element(index, of: path)))
            }
            return .texts(texts)
        case (.credentials, .array(let elements)):
            var credentials: [BasicCredential] = []
            for (index, element) in elements.enumerated() {
                credentials.append(try Self.credential(element, at: JSONPath.element(index, of: path)))
            }
            return .credentials(credentials)
        default:
            throw JSONFault(field: path, message: "has to be \(self.jsonRequirement)")
        }
    }

    /// What a value of another kind should have been.
    private var jsonRequirement: String {
        switch self {
        case .choice, .number, .seconds: self.requirement
        case .toggle: "true or false"
        case .text: "a string"
        case .texts, .credentials: "an array"
        }
    }

    private static func text(_ json: JSONOutline, at path: String) throws(JSONFault) -> String {
        guard case .string(let text) = json else { throw JSONFault(field: path, message: "has to be a string") }
        return text
    }

    private static func credential(_ json: JSONOutline, at path: String) throws(JSONFault) -> BasicCredential {
        guard case .object(let members) = json else { throw JSONFault(field: path, message: "has to be an object") }
        var username: String?
        var password: String?
        var passwordHash: String?
        for member in members {
            let inner = JSONPath.member(member.name, of: path)
            switch (member.name, member.value) {
            case ("username", let value): username = try self.text(value, at: inner)
            case ("password", .null), ("password_hash", .null): break
            case ("password", let value): password = try self.text(value, at: inner)
            case ("password_hash", let value): passwordHash = try self.text(value, at: inner)
            default: throw JSONFault(field: inner, message: "is not known here")
            }
        }
        guard let username else {
            throw JSONFault(field: JSONPath.member("username", of: path), message: "is missing")
        }
        return BasicCredential(username: username, password: password, passwordHash: passwordHash)
    }
}
