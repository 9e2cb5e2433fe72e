// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@Suite("The schema of a policy")
struct PolicySchemaTests {
    /// A valid value of each kind that is no member's default.
    private func sample(_ kind: PolicyKind) -> PolicyValue {
        switch kind {
        case .choice(let words): .text(words.last ?? "")
        case .number(let range), .seconds(let range): .number(range.upperBound)
        case .toggle: .toggle(true)
        case .text: .text("preserve")
        case .texts: .texts(["192.0.2.7", "2001:db8::/32"])
        case .credentials: .credentials([BasicCredential(username: "u", password: "p")])
        }
    }

    private func member(_ name: String, of schema: PolicySchema = .tunnel) -> PolicyMember? {
        schema.members.first { $0.name == name }
    }

    @Test("There are as many properties of a policy as members; that each has its own is for the round trip to show")
    func properties() {
        #expect(Mirror(reflecting: TunnelPolicy()).children.count == PolicySchema.tunnel.members.count)
    }

    @Test("Names and flags are different, and what a member is for is one sentence")
    func names() {
        let members = PolicySchema.tunnel.members
        #expect(Set(members.map(\.name)).count == members.count)
        #expect(Set(members.map(\.flag)).count == members.count)
        for member in members {
            #expect(member.name.utf8.allSatisfy { (0x61...0x7a).contains($0) || $0 == UInt8(ascii: "_") })
            #expect(member.documentation.hasSuffix(".") && !member.documentation.contains("\n"), "\(member.name)")
            #expect(member.documentation.count { $0 == "`" }.isMultiple(of: 2), "\(member.name)")
        }
        #expect(self.member("request_timeout_seconds")?.flag == "request-timeout")
        #expect(self.member("host")?.flag == "host-header")
        #expect(members.filter(\.isSecret).map(\.name) == ["basic_auth"])
    }

    @Test("A value of each member is stored, written as JSON and read again; the default is not written")
    func roundTrip() throws {
        for member in PolicySchema.tunnel.members {
            let value = member.fallback == .value(.toggle(true)) ? .toggle(false) : self.sample(member.kind)
            #expect(member.kind.fault(in: value) == nil, "\(member.name)")
            #expect(member.value(in: TunnelPolicy()) == nil, "\(member.name)")
            let policy = TunnelPolicy([member.name: value])
            #expect(policy != TunnelPolicy(), "\(member.name)")
            #expect(member.value(in: policy) == value, "\(member.name)")
            let json = try APICoding.makeEncoder().encode(policy)
            let object = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
            #expect(Array(object.keys) == [member.name])
            #expect(try APICoding.makeDecoder().decode(TunnelPolicy.self, from: json) == policy)
        }
    }

    @Test("A word that no case has is refused by the decoder as well, which reads tokens")
    func unknownChoice() {
        #expect(throws: DecodingError.self) {
            try APICoding.makeDecoder().decode(TunnelPolicy.self, from: Data(#"{"path_mode":"x"}"#.utf8))
        }
    }

    @Test(
        "What is wrong with a value is said with its place",
        arguments: [
            (.choice(["a", "b"]), .text("c"), "", "has to be a or b"),
            (.choice(["a", "b", "d"]), .text("c"), "", "has to be a, b or d"),
            (.number(1...3), .number(4), "", "has to be a whole number from 1 to 3"),
            (.number(1...3), .text("1"), "", "has to be a whole number from 1 to 3"),
            (.seconds(1...3), .number(0), "", "has to be a whole number of seconds from 1 to 3"),
            (.toggle, .number(1), "", "has to be on or off"),
            (.text(.host), .text("a b"), "", "has to be rewrite, preserve, or a host name with or without a port"),
            (.texts(.network, atMost: 1), .texts(["::", "::1"]), "", "may have 1 entries at most"),
            (
                .texts(.network, atMost: 2), .texts(["::", "x"]), "[1]",
                "has to be an address or a network, such as 192.0.2.7 or 10.0.0.0/8"
            ),
            (.credentials(atMost: 0), .credentials([.init(username: "a")]), "", "may have 0 entries at most"),
            (
                .credentials(atMost: 1), .credentials([.init(username: "a")]), "[0]",
                "needs either password or password_hash"
            ),
            (
                .credentials(atMost: 1), .credentials([.init(username: "a:", password: "b")]), "[0].username",
                "has to be 1 to 128 of ASCII without space and colon"
            ),
            (
                .credentials(atMost: 1), .credentials([.init(username: "a", password: "é")]), "[0].password",
                "has to be 1 to 256 of ASCII"
            ),
            (
                .credentials(atMost: 1), .credentials([.init(username: "a", passwordHash: "b")]), "[0].password_hash",
                "has to be a hash that this edge made"
            ),
        ] as [(PolicyKind, PolicyValue, String, String)]
    )
    func faults(kind: PolicyKind, value: PolicyValue, place: String, message: String) {
        #expect(kind.fault(in: value) == PolicyFault(place: place, message))
    }

    @Test("An edge can lower the bound of a number, and raise none")
    func limiting() throws {
        func upperBound(_ schema: PolicySchema) -> Int? {
            guard case .number(let range) = self.member("max_connections", of: schema)?.kind else { return nil }
            return range.upperBound
        }
        #expect(upperBound(.tunnel.limiting("max_connections", to: 7)) == 7)
        #expect(upperBound(.tunnel.limiting("max_connections", to: 1_000_000)) == 10_000)
        #expect(upperBound(.tunnel.limiting("requests_per_second", to: 7)) == 10_000)
    }
}
