// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEnd {
    @Suite("An idle connector", .serialized)
    struct IdleConnector {
        static let residentLimitKibibytes = 20 << 10

        /// What the README says of one without TLS, in mebibytes.
        private static func promised() throws -> Int {
            let readme = try String(
                contentsOf: Programs.repository.appendingPathComponent("README.md"),
                encoding: .utf8
            )
            let row = try #require(readme.firstMatch(of: #/\| an idle connector \| (\d+) MiB \|/#))
            return try #require(Int(row.output.1))
        }

        @Test("A release build that idles has less than 20 MiB resident", arguments: ["http", "https"])
        func memory(scheme: String) async throws {
            guard Programs.areReleased else {
                print("Not run: these are not the programs of a release; CULVERT_E2E_BIN=.build/release names such")
                return
            }
            let scratch = try ScratchFolder()
            var arguments = ["--dev"]
            var environment: [String: String] = [:]
            if scheme == "https" {
                // What a user has: the authorities of the system, and the one that counts among them.
                let certificate = try await SelfSigned(name: "DNS:localhost", in: scratch)
                let system =
                    (try? Data(contentsOf: URL(fileURLWithPath: "/etc/ssl/certs/ca-certificates.crt"))) ?? Data()
                let roots = scratch.file("roots.pem")
                try (system + Data(contentsOf: certificate.file)).write(to: roots)
                environment["SSL_CERT_FILE"] = roots.path
                arguments += certificate.edgeArguments
            }
            let edge = try await EdgeProcess(in: scratch, arguments: arguments, scheme: scheme)
            environment["CULVERT_API_KEY"] = edge.apiKey
            let start = ContinuousClock.now
            let connector = try RunningProcess(
                Programs.product("culvert"),
                ["http", "9", "--edge", "\(scheme)://localhost:\(edge.port)"],
                environment: environment,
                in: scratch
            )
            _ = try await connector.line(startingWith: "http")
            let duration = ContinuousClock.now - start
            try await eventually("both connections") {
                try await edge.metric("culvert_active_sessions", in: scratch) == 2 ? () : nil
            }
            // What the start took in passing has been given back by then.
            try await Task.sleep(for: .seconds(3))
            let figures = try connector.figures()
            let size = try FileManager.default.attributesOfItem(atPath: Programs.product("culvert"))[.size] as? Int ?? 0
            print("idle connector, \(scheme): \(figures); URL after \(duration); the program has \(size >> 20) MiB")
            #expect(figures.residentKibibytes < Self.residentLimitKibibytes)
            if scheme == "http" { #expect(figures.residentKibibytes < (try Self.promised() + 2) << 10) }
        }
    }
}
