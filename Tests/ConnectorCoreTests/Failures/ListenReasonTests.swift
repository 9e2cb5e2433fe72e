// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import NIOCore
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("Why an address can't be listened on")
struct ListenReasonTests {
    @Test(
        "It is said in words",
        arguments: [
            (EADDRINUSE, "another program listens there, perhaps another culvert"),
            (EADDRNOTAVAIL, "it is no address of this machine"),
            (EACCES, "this user may not listen there, as on ports below 1024"),
            (EMFILE, "too many open files"),
        ]
    )
    func words(code: CInt, words: String) {
        #expect(ListenReason.words(IOError(errnoCode: code, reason: "bind(descriptor:ptr:bytes:)")) == words)
    }

    @Test("What is no error of the system has no text of a library")
    func otherErrors() {
        struct UnknownHost: Error {}
        #expect(ListenReason.words(UnknownHost()) == "it is no address of this machine")
    }
}
