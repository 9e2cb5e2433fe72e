// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SystemErrors
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("Why a connection failed, in words")
struct TransportFaultTests {
    /// What a library throws where a connection was closed without a farewell of TLS.
    private struct NoFarewell: Error, CustomStringConvertible {
        let description = "uncleanShutdown"
    }

    private struct Other: Error, CustomStringConvertible {
        let description = "of its own"
    }

    @Test(
        "The system's reason is told without the call that failed and without its number",
        arguments: [
            (ECONNRESET, "connection reset by peer"), (ECONNREFUSED, "connection refused"), (EPIPE, "broken pipe"),
            (EHOSTUNREACH, "no route to host"),
        ]
    )
    func system(number: CInt, words: String) {
        #expect(TransportFault.words(IOError(errnoCode: number, reason: "read(descriptor:pointer:size:)")) == words)
    }

    @Test("What libraries say of a connection that ended or never came is told in words")
    func libraries() {
        #expect(TransportFault.words(ChannelError.connectTimeout(.seconds(5))) == "no answer in time")
        for error: any Error in [ChannelError.eof, ChannelError.ioOnClosedChannel, NoFarewell()] {
            #expect(TransportFault.words(error) == "the connection was closed")
        }
        #expect(TransportFault.words(ChannelError.operationUnsupported) != "the connection was closed")
    }

    @Test("An error with words of its own keeps them")
    func others() {
        #expect(TransportFault.words(Other()) == "of its own")
    }
}
