// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// The origins and visitors without a tunnel between them: when these fail, it is not the tunnel's fault.
    @Suite("Harness", .serialized)
    struct Harness {
        @Test("nginx alone says what it saw", arguments: Requests.methods)
        func nginx(method: String) async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let arguments = method == "HEAD" ? ["--head"] : ["--request", method, "--data-binary", "a body"]
            let answer = try await Curl.get("http://127.0.0.1:\(origin.port)/saw/%2F//x", arguments, in: scratch)
            #expect(answer.status == 200)
            #expect(answer["Saw-Method"] == method)
            #expect(answer["Saw-Target"] == "/saw/%2F//x")
            #expect(answer["Saw-Body"] == (method == "HEAD" ? nil : "a body"))
        }

        @Test("The sample origin alone echoes WebSocket conversations")
        func webSockets() async throws {
            let scratch = try ScratchFolder()
            let origin = try await SampleOrigin(in: scratch)
            let url = "ws://127.0.0.1:\(origin.port)/echo"
            let peer = try RunningProcess(
                Programs.python,
                [Programs.peer("websocket_conversations.py"), url, "10"],
                in: scratch
            )
            #expect(try await peer.successfulOutput(within: .seconds(60)).contains(#""conversations": 10"#))
        }

        @Test("The peers of an upgrade understand each other", arguments: ["raw_upgrade.py", "event_latency.py"])
        func peers(name: String) async throws {
            let scratch = try ScratchFolder()
            let port = try FreePort.next()
            let arguments = [Programs.peer(name), "\(port)", "http://127.0.0.1:\(port)/"]
            let peer = try RunningProcess(Programs.python, arguments, in: scratch)
            #expect(try await peer.end(within: .seconds(60)) == .exited(0), "\(peer.transcript)")
        }

        @Test("A missing program fails a test, it does not skip it")
        func missingProgram() throws {
            let scratch = try ScratchFolder()
            #expect(throws: HarnessFailure.self) { try RunningProcess("/nowhere/culvert", [], in: scratch) }
        }
    }
}
