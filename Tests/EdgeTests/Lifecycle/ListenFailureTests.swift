// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Edge

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite("Addresses that an edge can't have")
struct ListenFailureTests {
    @Test("A second edge of a machine is told which setting to change", arguments: ["admin.listen", "cluster.listen"])
    func inUse(setting: String) throws {
        let failure = EdgeServer.ListenFailure(
            address: try #require(ListenAddress(setting: "127.0.0.1:8990")),
            setting: setting,
            cause: IOError(errnoCode: EADDRINUSE, reason: "bind")
        )
        let flag = setting.replacing(".", with: "-")
        #expect(
            "\(failure)"
                == "can't listen on 127.0.0.1:8990, which is \(setting): it is in use, perhaps by another edge of this "
                + "machine. Choose another address: \(setting) in the file of settings, or --\(flag)."
        )
    }

    @Test("A name that leads nowhere is told in words")
    func unknown() throws {
        let cause = #expect(throws: (any Error).self) {
            try SocketAddress.makeAddressResolvingHost("no-such-host.invalid", port: 1)
        }
        let failure = EdgeServer.ListenFailure(
            address: try #require(ListenAddress(setting: "no-such-host.invalid:1")),
            setting: "listen",
            cause: try #require(cause)
        )
        #expect("\(failure)".contains("which is listen: no-such-host.invalid is no address of this machine. Choose"))
    }

    @Test("Other reasons are the system's words, without names of functions")
    func others() throws {
        let failure = EdgeServer.ListenFailure(
            address: try #require(ListenAddress(setting: "0.0.0.0:443")),
            setting: "listen",
            cause: IOError(errnoCode: EACCES, reason: "bind(descriptor:ptr:bytes:)")
        )
        #expect("\(failure)".contains("which is listen: permission denied. Choose another address"))
    }
}
