// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Inspection

@Suite("Why an exchange ended")
struct CaptureCauseTests {
    private static let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    private static let half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"

    /// What is said of each exchange, oldest first; `nil` of one that is complete.
    private func causes(_ script: (inout TapScript) -> Void) -> [String?] {
        let ring = CaptureRing()
        let origin = ExchangeOrigin(tunnel: "my-app", connection: 1)
        var tap = TapScript(recorder: ExchangeRecorder(ring: ring, origin: origin))
        script(&tap)
        let isOver = ring.exchanges.allSatisfy { $0.isOver }
        #expect(isOver, "an exchange stays open")
        return ring.exchanges.reversed().map { ExchangeView($0.snapshot()).failure }
    }

    @Test(
        "Who ended the connection first is named, whether or not there was a head",
        arguments: [
            (PipeEnding.streamFailed, "The visitor or the edge gave up"),
            (.sessionLost, "The connection to the edge was lost"),
            (.streamClosed, "The stream from the edge ended"),
            (.localFailed, "The connection to the local server broke"),
            (.localClosed, "The local server closed the connection"),
        ]
    )
    func ending(_ ending: PipeEnding, who: String) {
        #expect(
            self.causes { tap in
                tap.request(Self.get)
                tap.close(ending)
            } == ["\(who) before there was a response."]
        )
        #expect(
            self.causes { tap in
                tap.request(Self.get)
                tap.response(Self.half)
                tap.close(ending)
            } == ["\(who) before the response was complete."]
        )
    }

    @Test("A local server that closes without a response is the cause, though the edge then resets the stream")
    func unanswered() {
        let closed = "The local server closed the connection before there was a response."
        for ending in [PipeEnding.streamFailed, .sessionLost, .streamClosed, .localFailed] {
            #expect(
                self.causes { tap in
                    tap.request(Self.get)
                    tap.finishResponses()
                    tap.close(ending)
                } == [closed]
            )
            // Behind a complete response, and with a second request that was on its way.
            #expect(
                self.causes { tap in
                    tap.request(Self.get)
                    tap.response("HTTP/1.1 204 No Content\r\n\r\n")
                    tap.finishResponses()
                    tap.request("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
                    tap.close(ending)
                } == [nil, closed]
            )
            #expect(
                self.causes { tap in
                    tap.request(Self.get)
                    tap.response(Self.half)
                    tap.finishResponses()
                    tap.close(ending)
                } == ["The local server closed the connection before the response was complete."]
            )
        }
    }

    @Test("A response that can't be read is the cause, though the edge then gives up")
    func unreadable() throws {
        let causes = self.causes { tap in
            tap.request(Self.get)
            tap.response("SSH-2.0-OpenSSH_9.2\r\n\r\n")
            tap.close(.streamFailed)
        }
        #expect(causes.count == 1)
        #expect(try #require(causes[0]).hasPrefix("What the server sent can't be read as HTTP/1.1"))
    }

    @Test("A visitor who wants no more is the cause, though the local server then closes or breaks")
    func unwanted() {
        for ending in [PipeEnding.localClosed, .localFailed, .streamClosed] {
            #expect(
                self.causes { tap in
                    tap.request(Self.get)
                    tap.response(Self.half)
                    tap.stopResponses()
                    tap.finishResponses()
                    tap.close(ending)
                } == ["The visitor or the edge gave up before the response was complete."]
            )
        }
        // Behind a complete response it says nothing.
        #expect(
            self.causes { tap in
                tap.request(Self.get)
                tap.response("HTTP/1.1 204 No Content\r\n\r\n")
                tap.stopResponses()
                tap.close(.localFailed)
            } == [nil]
        )
    }

    @Test("A conversation whose server left in order is complete, though the edge then resets the stream")
    func leftConversation() {
        for name in ["websocket", "other"] {
            #expect(
                self.causes { tap in
                    tap.request("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: \(name)\r\n\r\n")
                    tap.response("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: \(name)\r\n\r\n")
                    tap.finishResponses()
                    tap.close(.streamFailed)
                } == [nil],
                "\(name)"
            )
        }
    }

    @Test("After an upgrade the end of one direction is no cause")
    func upgrade() {
        #expect(
            self.causes { tap in
                tap.request("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
                tap.response("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nhello")
                tap.finishResponses()
                tap.request("more")
                tap.close(.streamClosed)
            } == [nil]
        )
    }
}
