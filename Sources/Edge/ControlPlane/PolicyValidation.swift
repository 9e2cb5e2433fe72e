// SPDX-License-Identifier: Apache-2.0

import Protocol

/// What a policy may say; everything else is refused, naming the member.
struct PolicyValidation: Sendable {
    /// The most sessions that a policy may ask for.
    var maxConnections: Int

    /// Lets a policy pass that can be enforced.
    ///
    /// - Throws: ``Problem/invalidBody(field:detail:)``.
    func check(_ policy: TunnelPolicy) throws {
        if case .rewrite(let value) = policy.host, !Self.isHost(value) {
            throw Self.problem("host", "has to be rewrite, preserve, or a host name with or without a port")
        }
        try self.check(policy.requestTimeoutSeconds, "request_timeout_seconds", in: 1...3600)
        try self.check(policy.maxConnections, "max_connections", in: 1...self.maxConnections)
        try self.check(policy.requestsPerSecond, "requests_per_second", in: 1...1_000_000)
        try self.check(policy.basicAuth)
        try self.check(policy.ipAllow, "ip_allow")
        try self.check(policy.ipDeny, "ip_deny")
    }

    private func check(_ number: Int?, _ member: String, in range: ClosedRange<Int>) throws {
        guard let number, !range.contains(number) else { return }
        throw Self.problem(member, "has to be from \(range.lowerBound) to \(range.upperBound)")
    }

    private func check(_ ranges: [String], _ member: String) throws {
        guard ranges.count <= 64 else { throw Self.problem(member, "may have 64 entries at most") }
        for (index, range) in ranges.enumerated() where AddressRange(range) == nil {
            throw Self.problem("\(member)[\(index)]", "has to be an address or a network such as 10.0.0.0/8")
        }
    }

    private func check(_ credentials: [BasicCredential]) throws {
        guard credentials.count <= 16 else { throw Self.problem("basic_auth", "may have 16 entries at most") }
        for (index, credential) in credentials.enumerated() {
            let name = credential.username
            guard (1...128).contains(name.utf8.count),
                name.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x3a })
            else {
                throw Self.problem(
                    "basic_auth[\(index)].username",
                    "has to be 1 to 128 of ASCII without space and colon"
                )
            }
            switch (credential.password, credential.passwordHash) {
            case (let password?, nil):
                // Browsers differ in how they send anything else (RFC 7617 §2.1).
                guard (1...256).contains(password.utf8.count), password.utf8.allSatisfy({ (0x20...0x7e).contains($0) })
                else {
                    throw Self.problem("basic_auth[\(index)].password", "has to be 1 to 256 of ASCII")
                }
            case (nil, let hash?):
                guard PasswordHash.isWellFormed(hash) else {
                    throw Self.problem("basic_auth[\(index)].password_hash", "has to be a hash that this edge made")
                }
            default:
                throw Self.problem("basic_auth[\(index)]", "needs either password or password_hash")
            }
        }
    }

    /// A host name or address with or without a port; above all, nothing that could end the field.
    private static func isHost(_ value: String) -> Bool {
        var host = value[...]
        if let colon = value.lastIndex(of: ":"), !value.hasSuffix("]") {
            let port = value[value.index(after: colon)...]
            guard port.utf8.allSatisfy({ (0x31...0x39).contains($0) || (0x30 == $0 && port.first != "0") }),
                UInt16(port) != nil
            else { return false }
            host = value[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            // Whether it is one is the origin's to say: this keeps out what ends the field, as a schema can tell it.
            return (4...47).contains(host.utf8.count)
                && host.dropFirst().dropLast().utf8.allSatisfy { $0 == 0x3a || $0 == 0x2e || Self.isHexadecimal($0) }
        }
        return (1...249).contains(host.utf8.count)
            && host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
        case UInt8(ascii: "A")...UInt8(ascii: "F"): true
        default: false
        }
    }

    private static func problem(_ member: String, _ detail: String) -> Problem {
        .invalidBody(field: "policy.\(member)", detail: "policy.\(member) \(detail).")
    }
}
