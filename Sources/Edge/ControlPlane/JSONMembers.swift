// SPDX-License-Identifier: Apache-2.0

/// The members that an object of the API may have; a misspelt one is told instead of being ignored.
indirect enum JSONMembers: Sendable {
    /// An object with these members.
    case object([String: JSONMembers])
    /// An array of such values.
    case array(JSONMembers)
    /// Anything else.
    case leaf

    /// The body of `POST /api/tunnels/create`.
    static let createTunnel: JSONMembers = .object([
        "name": .leaf, "local_port": .leaf,
        "policy": .object([
            "path_mode": .leaf, "host": .leaf, "request_timeout_seconds": .leaf, "max_connections": .leaf,
            "requests_per_second": .leaf, "ip_allow": .leaf, "ip_deny": .leaf,
            "upgrades": .leaf, "origin_reuse": .leaf,
            "basic_auth": .array(.object(["username": .leaf, "password": .leaf, "password_hash": .leaf])),
        ]),
    ])

    /// The path of the first member of a value that it may not have.
    func unknownMember(in value: JSONShape, path: String = "") -> String? {
        switch (self, value) {
        case (.object(let members), .object(let found)):
            for (name, value) in found.sorted(by: { $0.key < $1.key }) {
                let inner = path.isEmpty ? name : "\(path).\(name)"
                guard let member = members[name] else { return inner }
                if let unknown = member.unknownMember(in: value, path: inner) { return unknown }
            }
        case (.array(let element), .array(let found)):
            for (index, value) in found.enumerated() {
                if let unknown = element.unknownMember(in: value, path: "\(path)[\(index)]") { return unknown }
            }
        default:
            break
        }
        return nil
    }
}

/// A JSON value as far as its objects and arrays go.
indirect enum JSONShape: Decodable {
    case object([String: JSONShape])
    case array([JSONShape])
    case leaf

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let object = try? container.decode([String: JSONShape].self) {
            self = .object(object)
        } else if let array = try? container.decode([JSONShape].self) {
            self = .array(array)
        } else {
            self = .leaf
        }
    }
}
