// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

@Suite("Which connections are taken")
struct ConnectionAdmissionTests {
    private let stranger = IPAddress("192.0.2.1")
    private let other = IPAddress("192.0.2.2")

    private func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
        return channel
    }

    @Test("A tenth of the places serves nobody but connectors and the API, and there the oldest gives way")
    func keptShare() throws {
        let admission = ConnectionAdmission(limit: 20, perAddress: 100)
        let channels = try (0..<30).map { _ in try self.channel() }
        let places = channels.map { admission.enter($0, from: self.stranger) }
        #expect(places.allSatisfy { $0 != nil })
        #expect(admission.counts == (18, 2, 0))
        #expect(places.prefix(18).allSatisfy { $0?.mayVisit() == true })
        #expect(places.suffix(12).allSatisfy { $0?.mayVisit() == false })
        #expect(channels.prefix(18).allSatisfy { $0.isActive })
        #expect(channels[18..<28].allSatisfy { !$0.isActive })
        #expect(channels.suffix(2).allSatisfy { $0.isActive })
        // Those that had to go say so themselves, too.
        for place in places[18..<28] { place?.leave() }
        #expect(admission.counts == (18, 2, 0))
        for place in places { place?.leave() }
        #expect(admission.counts == (0, 0, 0))
    }

    @Test("A connector keeps its place, and a few can still ask where connectors have taken all that was kept")
    func connectors() throws {
        let admission = ConnectionAdmission(limit: 20, perAddress: 100)
        for _ in 0..<18 { _ = admission.enter(try self.channel(), from: self.stranger) }
        for _ in 0..<10 {
            let place = try #require(admission.enter(try self.channel(), from: self.other))
            #expect(!place.mayVisit())
            place.becomesConnector()
        }
        #expect(admission.counts == (18, 0, 10))
        let caller = try #require(admission.enter(try self.channel(), from: self.other))
        #expect(!caller.mayVisit())
        #expect(admission.counts == (18, 1, 10))
    }

    @Test("One address has a bound that a trusted proxy's has not, and all of a /64 are one address")
    func perAddress() throws {
        let admission = try ConnectionAdmission(
            limit: 100,
            perAddress: 2,
            proxies: [#require(AddressRange("198.51.100.0/24"))]
        )
        func visits(_ text: String) throws -> Bool {
            try #require(admission.enter(try self.channel(), from: IPAddress(text))).mayVisit()
        }
        #expect(try (0..<3).map { _ in try visits("192.0.2.1") } == [true, true, false])
        #expect(try visits("192.0.2.2"))
        #expect(try (0..<5).allSatisfy { _ in try visits("198.51.100.7") })
        #expect(try (1...3).map { try visits("2001:db8::\($0)") } == [true, true, false])
        #expect(try visits("2001:db8:0:1::1"))
    }

    @Test("Who came to a kept place visits as soon as there is another one, which counts for its address")
    func promotion() throws {
        let admission = ConnectionAdmission(limit: 100, perAddress: 1)
        let first = try #require(admission.enter(try self.channel(), from: self.stranger))
        let second = try #require(admission.enter(try self.channel(), from: self.stranger))
        #expect(!second.mayVisit())
        first.leave()
        #expect(second.mayVisit())
        #expect(admission.counts == (1, 0, 0))
        let third = try #require(admission.enter(try self.channel(), from: self.stranger))
        #expect(!third.mayVisit())
        second.leave()
        second.leave()
        third.leave()
        #expect(!third.mayVisit())
        #expect(admission.counts == (0, 0, 0))
    }

    @Test("With one place in all, whoever comes second is refused")
    func single() throws {
        let admission = ConnectionAdmission(limit: 1, perAddress: 100)
        #expect(admission.enter(try self.channel(), from: self.stranger)?.mayVisit() == true)
        #expect(admission.enter(try self.channel(), from: self.stranger) == nil)
    }
}
