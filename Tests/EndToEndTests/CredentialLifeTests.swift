// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    /// From the making of keys and tokens to their end, as operators and connectors meet it.
    @Suite("Life of credentials", .serialized)
    struct CredentialLife {
        /// These tests ask for the status over and over.
        private static let unlimited = ["--dev", "--limits-api-calls-per-second", "1000"]

        private func connect(_ token: String, port: Int, in scratch: ScratchFolder) throws -> RunningProcess {
            try RunningProcess(
                Programs.product("culvert"),
                ["connect", "--to", "\(port)", "--connections", "1"],
                environment: ["CULVERT_TOKEN": token],
                in: scratch
            )
        }

        /// Waits until the tunnel has so many sessions, and gives the number of the last one.
        private func session(
            of id: String,
            at edge: EdgeProcess,
            count: Int = 1,
            in scratch: ScratchFolder
        ) async throws -> String {
            try await eventually("\(count) session of \(id)") {
                // A tunnel that was forgotten is made again by its connector.
                guard let sessions = try? await edge.status(of: id, in: scratch).sessions else { return nil }
                return sessions.count == count ? sessions.last?.id : nil
            }
        }

        @Test("SIGHUP takes up keys and limits, all or nothing, and no connection is dropped")
        func reload() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await KeyedEdge(in: scratch)
            let (alice, bob) = (try await edge.makeKey("alice"), try await edge.makeKey("bob"))
            try await edge.reload()
            let tunnel = try await edge.process.createTunnel(key: alice.key, in: scratch)
            let connector = try self.connect(tunnel.token, port: origin.port, in: scratch)
            let session = try await self.session(of: tunnel.id, at: edge.process, in: scratch)

            try await edge.revokeKey("alice")
            #expect(try await edge.process.call("GET", "list", key: alice.key, in: scratch).status == 200)
            try await edge.reload()
            #expect(try await edge.process.call("GET", "list", key: alice.key, in: scratch).status == 401)
            #expect(try await edge.process.call("GET", "list", key: bob.key, in: scratch).status == 200)

            try Data("limits:\n  api-calls-per-second: 1\n".utf8).write(to: edge.configurationFile)
            try await edge.reload()
            var limited: Curl.Answer?
            for _ in 0..<20 where limited == nil {
                let answer = try await edge.process.call("GET", "list", key: bob.key, in: scratch)
                if answer.status == 429 { limited = answer }
            }
            #expect(limited?["Retry-After"] == "1")
            #expect(limited?["RateLimit"] == #""api";r=0;t=1"#)

            try Data("{".utf8).write(to: edge.apiKeysFile)
            try await edge.reload(expecting: "nothing was reloaded")
            try Data("limits:\n  api-calls-per-second: none\n".utf8).write(to: edge.configurationFile)
            try await edge.reload(expecting: "nothing was reloaded")
            try await eventually("bob's next call") {
                try await edge.process.call("GET", "list", key: bob.key, in: scratch).status == 200 ? () : nil
            }
            #expect(try await self.session(of: tunnel.id, at: edge.process, in: scratch) == session)
            #expect(try await Curl.get("\(edge.process.url)/\(tunnel.id)/saw/", in: scratch).status == 200)
            #expect(connector.isRunning)
        }

        @Test("Signing keys are rotated with an overlap; a key that is taken away takes its sessions with it")
        func rotation() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await KeyedEdge(in: scratch)
            let old = try await edge.process.createTunnel(in: scratch)
            let first = try self.connect(old.token, port: origin.port, in: scratch)
            let session = try await self.session(of: old.id, at: edge.process, in: scratch)

            let newKey = ["kid": "k2", "secret": Data((0..<32).map { UInt8($0) }).base64EncodedString()]
            let oldKeys = try edge.signingKeys()
            try edge.replaceSigningKeys(with: [newKey] + oldKeys)
            try await edge.reload()
            #expect(try await self.session(of: old.id, at: edge.process, in: scratch) == session)
            // The old token still lets connectors in.
            let second = try self.connect(old.token, port: origin.port, in: scratch)
            _ = try await self.session(of: old.id, at: edge.process, count: 2, in: scratch)
            let new = try await edge.process.createTunnel(in: scratch)
            let third = try self.connect(new.token, port: origin.port, in: scratch)
            let kept = try await self.session(of: new.id, at: edge.process, in: scratch)

            try edge.replaceSigningKeys(with: [newKey])
            let start = ContinuousClock.now
            try await edge.reload()
            for connector in [first, second] { #expect(try await connector.end() == .exited(77)) }
            let duration = ContinuousClock.now - start
            print("rotation: the sessions of the removed key ended after \(duration)")
            #expect(duration < .seconds(1))
            #expect(try await self.session(of: new.id, at: edge.process, in: scratch) == kept)
            #expect(third.isRunning)
        }

        @Test("A deleted tunnel's connector is gone within a second, and its token lets nobody in any more")
        func deletion() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await EdgeProcess(in: scratch)
            let tunnel = try await edge.createTunnel(in: scratch)
            let connector = try self.connect(tunnel.token, port: origin.port, in: scratch)
            _ = try await self.session(of: tunnel.id, at: edge, in: scratch)
            let start = ContinuousClock.now
            #expect(try await edge.call("DELETE", tunnel.id, in: scratch).status == 204)
            #expect(try await connector.end() == .exited(77))
            let duration = ContinuousClock.now - start
            print("deletion: the connector was gone after \(duration)")
            #expect(duration < .seconds(1))
            let again = try self.connect(tunnel.token, port: origin.port, in: scratch)
            #expect(try await again.end() == .exited(77))
        }

        @Test("A token that expires, or is replaced and its overlap over, ends the live session within a second")
        func expiry() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let keyed = try await KeyedEdge(
                in: scratch,
                arguments: [
                    "--limits-api-calls-per-second", "1000", "--tunnel-token-lifetime", "5s", "--tunnel-token-overlap",
                    "2s",
                ]
            )
            let edge = keyed.process
            let alice = try await keyed.makeKey("alice")
            try await keyed.reload()
            let expiring = try await edge.createTunnel(key: alice.key, in: scratch)
            let issued = Date()
            // What was somebody's whose key is gone gets no further token.
            try await keyed.revokeKey("alice")
            try await keyed.reload()
            let replaced = try await edge.createTunnel(in: scratch)
            // An expiry is a whole second, at least as far away as the lifetime.
            let connector = try self.connect(expiring.token, port: origin.port, in: scratch)
            let other = try self.connect(replaced.token, port: origin.port, in: scratch)
            for tunnel in [expiring, replaced] { _ = try await self.session(of: tunnel.id, at: edge, in: scratch) }

            let renewal = try await edge.call("POST", "\(replaced.id)/token", in: scratch)
            let start = Date()
            let renewed = try JSONDecoder().decode(IssuedTunnel.self, from: Data(renewal.body.utf8))
            let third = try self.connect(renewed.token, port: origin.port, in: scratch)
            _ = try await self.session(of: replaced.id, at: edge, count: 2, in: scratch)
            #expect(try await other.end() == .exited(77))
            let overlap = Date().timeIntervalSince(start)
            #expect(third.isRunning)
            #expect(try await connector.end() == .exited(77))
            let life = Date().timeIntervalSince(issued)
            print("expiry: ended \(life) s after a token of 5 s, \(overlap) s after a renewal with 2 s of overlap")
            #expect((1.5..<3).contains(overlap))
            #expect((4..<7).contains(life))
        }

        @Test("A tunnel without a connector is forgotten after its time; its token makes it again")
        func idleTunnel() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await EdgeProcess(in: scratch, arguments: Self.unlimited + ["--tunnel-idle-expiry", "1s"])
            let tunnel = try await edge.createTunnel(#"{"name":"my-app"}"#, in: scratch)
            try await eventually("the tunnel is forgotten") {
                try await edge.call("GET", "\(tunnel.id)/status", in: scratch).status == 404 ? () : nil
            }
            let connector = try self.connect(tunnel.token, port: origin.port, in: scratch)
            _ = try await self.session(of: tunnel.id, at: edge, in: scratch)
            try await Task.sleep(for: .seconds(3))
            #expect(try await edge.status(of: tunnel.id, in: scratch).state == "online")
            #expect(connector.isRunning)
        }

        @Test(
            "Keys are made where the settings of the edge say, whatever else is wrong with these, and flags go before"
        )
        func placesOfKeys() async throws {
            let scratch = try ScratchFolder()
            let keys = scratch.file("named-keys.json")
            let (signing, other) = (scratch.file("named-signing-keys.json"), scratch.file("other-keys.json"))
            let settings =
                "auth:\n  api-keys-file: \(keys.path)\n  signing-keys-file: \(signing.path)\nlisten: nowhere\n"
            let file = scratch.file("edge.yaml")
            try Data(settings.utf8).write(to: file)
            func credentials(_ arguments: [String], _ environment: [String: String] = [:]) throws -> RunningProcess {
                let program = try Programs.product("culvert-edge")
                return try RunningProcess(program, ["credentials"] + arguments, environment: environment, in: scratch)
            }
            let config = ["--config", file.path]
            let new = ["new", "--name", "alice", "--no-otp"] + config
            let early = try credentials(new)
            #expect(try await early.end() == .exited(78))
            #expect(early.standardError.contains("listen (\(file.path), line 4)"))
            #expect(early.standardError.contains("No key was made: mend the file first."))
            #expect(!FileManager.default.fileExists(atPath: keys.path))
            let mended = Data(settings.replacing("nowhere", with: "127.0.0.1:8989").utf8)
            try mended.write(to: file)
            let first = try await credentials(new).successfulOutput(within: .seconds(20))
            #expect(!first.contains("SIGHUP"), "no edge can run yet")
            let second = try await credentials(["new", "--name", "carol", "--no-otp"] + config)
                .successfulOutput(within: .seconds(20))
            #expect(second.hasSuffix("Send the edge SIGHUP, if it runs, to have it take this key.\n"))
            // Who revokes a key is not to be held up by other faults.
            try Data(settings.utf8).write(to: file)
            let faults = try credentials(["list"] + config)
            _ = try await faults.end()
            #expect(faults.standardError.contains("has faults"))
            #expect(faults.standardError.contains("listen (\(file.path), line 4)"))
            let list = try credentials(["list"], ["CULVERT_CONFIG": file.path])
            #expect(
                try await list.successfulOutput(within: .seconds(20))
                    == "alice\tuser\tkey\tvalid\ncarol\tuser\tkey\tvalid\n"
            )
            #expect(FileManager.default.fileExists(atPath: signing.path))

            try mended.write(to: file)
            let flags = ["--no-otp", "--api-keys-file", other.path]
            _ = try await credentials(["new", "--name", "bob"] + flags + config).successfulOutput(within: .seconds(20))
            let others = try credentials(["list"], ["CULVERT_AUTH_API_KEYS_FILE": other.path])
            #expect(try await others.successfulOutput(within: .seconds(20)) == "bob\tuser\tkey\tvalid\n")

            // Where no setting names it, the signing key lies beside the API keys, and it is told where.
            let aside = scratch.file("aside")
            try FileManager.default.createDirectory(at: aside, withIntermediateDirectories: false)
            let placed = try credentials(
                [
                    "new", "--name", "carol", "--no-otp", "--api-keys-file",
                    aside.appendingPathComponent("keys.json").path,
                ]
            )
            _ = try await placed.successfulOutput(within: .seconds(20))
            let made = aside.appendingPathComponent("signing-keys.json").path
            #expect(FileManager.default.fileExists(atPath: made))
            #expect(placed.standardError.contains("a signing key was made, in \(made)"))

            let nameless = scratch.file("nameless.yaml")
            try Data("listen: 127.0.0.1:0\n".utf8).write(to: nameless)
            let refused = try credentials(["new", "--name", "dave", "--config", nameless.path])
            #expect(try await refused.end() == .exited(78))
            #expect(refused.standardError.contains("add auth.api-keys-file to it"))

            let missing = try credentials(["list", "--config", scratch.file("none.yaml").path])
            #expect(try await missing.end() == .exited(78))
            #expect(missing.standardError.contains("none.yaml"))
        }

        @Test("The status says when a connector last answered an echo")
        func echo() async throws {
            let scratch = try ScratchFolder()
            let origin = try await NginxOrigin(in: scratch)
            let edge = try await EdgeProcess(
                in: scratch,
                arguments: Self.unlimited + ["--tunnel-heartbeat-interval", "2s", "--tunnel-resume", "0s"]
            )
            let tunnel = try await edge.createTunnel(in: scratch)
            let connector = try self.connect(tunnel.token, port: origin.port, in: scratch)
            func shown() async throws -> ShownTunnel { try await edge.status(of: tunnel.id, in: scratch) }
            let first = try await eventually("an echo") { try await shown().sessions.first?.lastEchoAt }
            try await eventually("a later echo") {
                try await shown().sessions.first?.lastEchoAt.flatMap { $0 > first ? () : nil }
            }
            connector.send(signal: SIGSTOP)
            // What was on its way has come, and been looked at.
            try await Task.sleep(for: .seconds(3))
            let last = try await shown().lastEchoAt
            #expect(last != nil)
            try await eventually("the end of the session") { try await shown().sessions.isEmpty ? () : nil }
            // A kernel that takes bytes is no echo.
            #expect(try await shown().lastEchoAt == last)
        }
    }
}
