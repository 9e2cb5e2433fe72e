// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import ConnectorCore

@Suite("The file of a token")
struct TokenFileTests {
    private func token(_ issuedAt: Int, of tunnelID: String = "my-app") throws -> TunnelToken {
        try TunnelToken(parsing: TokenText.signed(#"{"sub":"\#(tunnelID)","iat":\#(issuedAt),"exp":99}"#))
    }

    private func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func write(_ token: TunnelToken, to file: URL, _ permissions: Int = 0o600) throws {
        try Data(token.secret.utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: file.path)
    }

    @Test("A successor takes the place of the token in one step, for the same readers, and a link stays one")
    func replacement() throws {
        try self.inFolder { folder in
            let (real, link) = (folder.appendingPathComponent("token"), folder.appendingPathComponent("link"))
            try self.write(self.token(1), to: real, 0o640)
            try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "token")
            let file = try #require(TokenFile(link.path, environment: [:]))
            #expect(try file.read() == self.token(1))
            try file.keep(self.token(2))
            #expect(try file.read() == self.token(2))
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == "token")
            #expect(try FileManager.default.attributesOfItem(atPath: real.path)[.posixPermissions] as? Int == 0o640)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["link", "token"])
            #expect(file.readIfChanged() == nil, "what it wrote itself is no news")
            try self.write(self.token(3), to: real)
            #expect(file.readIfChanged() == (try self.token(3)))
            #expect(file.readIfChanged() == nil)
        }
    }

    @Test("A service keeps successors in its own folder, and reads the later of the two")
    func service() throws {
        try self.inFolder { folder in
            let (credentials, state) = (folder.appendingPathComponent("cred"), folder.appendingPathComponent("state"))
            for part in [credentials, state] {
                try FileManager.default.createDirectory(at: part, withIntermediateDirectories: true)
            }
            try self.write(self.token(5), to: credentials.appendingPathComponent("etc-culvert-token"), 0o400)
            var environment = ["CREDENTIALS_DIRECTORY": credentials.path]
            let without = try #require(TokenFile("/etc/culvert/token", environment: environment))
            #expect(try without.read() == self.token(5))
            #expect(throws: CommandFailure.self) { try without.keep(self.token(6)) }

            environment["STATE_DIRECTORY"] = state.path
            let file = try #require(TokenFile("/etc/culvert/token", environment: environment))
            #expect(try file.read() == self.token(5))
            try file.keep(self.token(6))
            #expect(try file.read() == self.token(6))
            #expect(try TokenFile("/etc/culvert/token", environment: environment)?.read() == self.token(6))
            // Its owner has put a later one in the first place, and then that of another tunnel.
            try self.write(self.token(7), to: credentials.appendingPathComponent("etc-culvert-token"))
            #expect(try file.read() == self.token(7))
            let other = try self.token(1, of: "other-app")
            try self.write(other, to: credentials.appendingPathComponent("etc-culvert-token"))
            #expect(try file.read() == other)
        }
    }

    @Test("Standard input keeps nothing, and a folder that can't be written to is said")
    func unwritable() throws {
        #expect(TokenFile("-", environment: [:]) == nil)
        let file = try #require(TokenFile("/proc/nowhere/token", environment: [:]))
        #expect(throws: CommandFailure.self) { try file.read() }
        #expect(throws: CommandFailure.self) { try file.keep(self.token(1)) }
    }
}
