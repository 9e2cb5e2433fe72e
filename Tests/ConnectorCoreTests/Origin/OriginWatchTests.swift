// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Protocol
import Testing

@testable import ConnectorCore

@Suite("The local server at the start of a run", .timeLimit(.minutes(1)))
struct OriginWatchTests {
    private func target(_ port: Int) -> OriginTarget {
        OriginTarget(endpoint: .tcp(host: "localhost", port: port), usesTLS: false)
    }

    @Test("A server that is away is told once, with what to do, and once more when it answers")
    func away() async throws {
        let origin = try await LocalOrigin.start(.swallow)
        let port = origin.port
        try await origin.listener.close()
        let (events, told) = AsyncStream.makeStream(of: OriginEvent.self)
        let observer = OriginObserver { told.yield($0) }.once()
        let watch = OriginWatch(target: self.target(port), report: observer.report)
        await watch.run()
        await watch.run()
        var iterator = events.makeAsyncIterator()
        #expect(
            await iterator.next()
                == .unreachable(
                    target: "http://localhost:\(port)",
                    code: .connectRefused,
                    reason: "nothing listens on localhost:\(port): start the local server, or name the port that it "
                        + "listens on"
                )
        )
        #expect(observer.isUnreachable?() == true)
        let back = try await LocalOrigin.start(.swallow, port: port)
        await watch.run()
        #expect(await iterator.next() == .reachable(target: "http://localhost:\(port)"))
        #expect(observer.isUnreachable?() == false)
        try await back.listener.close()
    }

    @Test("A server that speaks first is none of HTTP, and is told with what it said")
    func greeting() async throws {
        let origin = try await LocalOrigin.start(.greet("SSH-2.0-OpenSSH_9.2\r\n"))
        let (sentences, told) = AsyncStream.makeStream(of: String.self)
        await OriginWatch(target: self.target(origin.port), report: { _ in }, warn: { told.yield($0) }).run()
        var iterator = sentences.makeAsyncIterator()
        #expect(
            await iterator.next()
                == "localhost:\(origin.port) speaks something else than HTTP/1.1, “SSH-2.0-OpenSSH_9.2”: culvert tcp carries "
                + "that"
        )
        try await origin.stop()
    }

    @Test("Nothing is sent to a server that says nothing, and the tunnel does not wait until it has not")
    func silence() async throws {
        let origin = try await LocalOrigin.start(.echo)
        let steps = NIOLockedValueBox<[String]>([])
        await OriginWatch(
            target: self.target(origin.port),
            report: { _ in steps.withLockedValue { $0.append("reachable") } },
            // An echo of anything that was sent would be one.
            warn: { sentence in steps.withLockedValue { $0.append(sentence) } },
            onLook: { steps.withLockedValue { $0.append("looked") } }
        )
        .run()
        #expect(steps.withLockedValue { $0 } == ["reachable", "looked"])
        try await origin.stop()
    }

    @Test(
        "The first bytes of a server tell HTTP, TLS and others apart",
        arguments: [
            ("HTTP/1.1 200 OK\r\n", nil), ("HTTP", nil),
            ("\u{15}\u{3}\u{1}", "localhost:1 speaks TLS: write https:// in front of it"),
            ("220 mail\r\n", "localhost:1 speaks something else than HTTP/1.1, “220 mail”: culvert tcp carries that"),
            ("\u{1}\u{2}", "localhost:1 speaks something else than HTTP/1.1: culvert tcp carries that"),
        ] as [(String, String?)]
    )
    func speech(words: String, fault: String?) {
        #expect(OriginSpeech.fault(ByteBuffer(string: words), of: self.target(1)) == fault)
    }

    @Test(
        "A target with TLS is asked for its certificate at once: what answers without TLS is told, and nothing is sent to it"
    )
    func withoutTLS() async throws {
        let origin = try await LocalOrigin.start(.greet("SSH-2.0-OpenSSH_9.2\r\n"))
        let target = OriginTarget(endpoint: .tcp(host: "localhost", port: origin.port), usesTLS: true)
        let events = NIOLockedValueBox<[OriginEvent]>([])
        await OriginWatch(target: target, tls: try OriginTLS(OriginTrust())) { event in
            events.withLockedValue { $0.append(event) }
        }
        .run()
        #expect(
            events.withLockedValue { $0 } == [
                .unreachable(
                    target: "https://localhost:\(origin.port)",
                    code: .localTLSError,
                    reason: "localhost:\(origin.port) does not speak TLS; use http:// for it; visitors get an error"
                )
            ]
        )
        try await origin.stop()
    }

    @Test("A server that is there is no event")
    func there() async throws {
        let origin = try await LocalOrigin.start(.swallow)
        let events = NIOLockedValueBox<[OriginEvent]>([])
        let observer = OriginObserver { event in events.withLockedValue { $0.append(event) } }.once()
        await OriginWatch(target: self.target(origin.port), report: observer.report).run()
        #expect(events.withLockedValue { $0 } == [])
        try await origin.listener.close()
    }
}
