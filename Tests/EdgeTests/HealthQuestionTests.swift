// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Testing

@testable import Edge
@testable import EdgeTunnels

@Suite("culvert-edge health")
struct HealthQuestionTests {
    @Test(
        "It asks the admin listener on this machine, or the URL it is given",
        arguments: [
            (HealthQuestion(adminListen: ListenAddress(host: "0.0.0.0", port: 1)), "http://127.0.0.1:1/healthz"),
            (HealthQuestion(adminListen: ListenAddress(host: "::", port: 2)), "http://[::1]:2/healthz"),
            (HealthQuestion(url: "http://edge:8990/readyz"), "http://edge:8990/readyz"),
            (HealthQuestion(url: "http://[::1]"), "http://[::1]:80/"),
            (HealthQuestion(url: "https://edge/"), nil),
            (HealthQuestion(url: "http://:1/"), nil),
        ]
    )
    func address(question: HealthQuestion?, url: String?) {
        #expect(question?.description == url)
    }

    @Test("It sees ready, not ready and nobody")
    func answers() async throws {
        let readiness = Readiness()
        let listener = AdminListener(endpoint: AdminEndpoint(readiness: readiness, metrics: EdgeMetrics()))
        let address = ListenAddress(host: "127.0.0.1", port: 0)
        let admin = try await listener.bind(to: address, group: MultiThreadedEventLoopGroup.singleton)
        let port = try #require(admin.localAddress?.port)
        let question = try #require(HealthQuestion(url: "http://127.0.0.1:\(port)/readyz"))
        #expect(try await question.ask() == 503)
        readiness.becomeReady()
        #expect(try await question.ask() == 200)
        try await admin.close()
        do {
            _ = try await question.ask()
            Issue.record("nobody answered")
        } catch {
            #expect(HealthFailure.words(for: error) == "connection refused")
        }
        let slow = ChannelError.connectTimeout(.seconds(3))
        #expect(HealthFailure.words(for: slow) == "nothing came within 3 seconds")
        #expect(HealthFailure.words(for: HealthFailure.closed) == "the connection was closed before the answer")
    }
}
