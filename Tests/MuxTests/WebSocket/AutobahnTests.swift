// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import Mux

/// The codec against the cases of the Autobahn test suite, in both roles; `scripts/autobahn` installs what runs them.
///
/// `CULVERT_AUTOBAHN` names the program: `kosoku`, which runs the suite's cases under Python 3, or the suite's own
/// `wstest`. `CULVERT_AUTOBAHN_CASES` names the cases (all without compression by default). The protocol's own limits do
/// not hold here: the suite sends text, and messages of 16 MiB in 64-byte fragments.
@Suite(
    "Autobahn",
    .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["CULVERT_AUTOBAHN"] != nil, "run by scripts/autobahn")
)
struct AutobahnTests {
    private let program = URL(filePath: ProcessInfo.processInfo.environment["CULVERT_AUTOBAHN"] ?? "")
    private let cases = (ProcessInfo.processInfo.environment["CULVERT_AUTOBAHN_CASES"] ?? "*")
        .split(separator: ",").map(String.init)
    private let excluded = ["12.*", "13.*"]

    private var isKosoku: Bool { self.program.lastPathComponent == "kosoku" }

    /// A folder for the suite's configuration and report.
    private func makeFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "autobahn-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Starts the suite as the client or the server at a port.
    private func start(_ mode: String, port: Int, in folder: URL) throws -> Process {
        let process = Process()
        process.executableURL = self.program
        if self.isKosoku {
            var arguments = ["--mode", mode, "--outdir", folder.path]
            for name in self.cases { arguments += ["--include", name] }
            for name in self.excluded { arguments += ["--exclude", name] }
            process.arguments = arguments + ["127.0.0.1:\(port)"]
        } else {
            let url = "ws://127.0.0.1:\(port)"
            let specification: [String: Any] = [
                "outdir": folder.path, "cases": self.cases, "exclude-cases": self.excluded, "url": url,
                "servers": [["agent": "culvert", "url": url]],
            ]
            let file = folder.appending(path: "specification.json")
            try JSONSerialization.data(withJSONObject: specification).write(to: file)
            process.arguments = ["--mode", mode, "--spec", file.path, "--webport", "0"]
        }
        process.currentDirectoryURL = folder
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func untilExit(of process: Process) async throws {
        while process.isRunning { try await Task.sleep(for: .milliseconds(100)) }
    }

    /// Checks what the suite reports: every case passed, also as to how the connection was closed.
    private func expectPassed(in folder: URL, _ role: String) throws {
        let data = try Data(contentsOf: folder.appending(path: "index.json"))
        let report = try #require(JSONSerialization.jsonObject(with: data) as? [String: [String: [String: Any]]])
        #expect(report.count == 1)
        let results = try #require(report.values.first)
        // NON-STRICT: text that is not UTF-8 is refused when its message is complete rather than at the first byte.
        let good: Set = ["OK", "NON-STRICT", "INFORMATIONAL"]
        var counts: [String: Int] = [:]
        for (name, result) in results.sorted(by: { $0.key < $1.key }) {
            let behavior = result["behavior"] as? String ?? "missing"
            let closing = result["behaviorClose"] as? String ?? "missing"
            #expect(good.contains(behavior) && good.contains(closing), "case \(name): \(behavior), close \(closing)")
            counts[behavior, default: 0] += 1
        }
        #expect(!results.isEmpty)
        let summary = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        print("Autobahn, our \(role): \(results.count) cases, \(summary)")
    }

    @Test("the suite's client finds no fault with our server")
    func server() async throws {
        let folder = try self.makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(EchoingWebSocket(role: .server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        let client = try self.start("fuzzingclient", port: port, in: folder)
        try await self.untilExit(of: client)
        try await listener.close()
        try self.expectPassed(in: folder, "server")
    }

    @Test("the suite's server finds no fault with our client")
    func client() async throws {
        let folder = try self.makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        // A port that is free now; the suite can't be asked which one it took.
        let probe = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(probe.localAddress?.port)
        try await probe.close()
        let server = try self.start("fuzzingserver", port: port, in: folder)
        defer { server.terminate() }
        var count: Int?
        for _ in 0..<300 where count == nil {
            try await Task.sleep(for: .milliseconds(100))
            count = (try? await self.visit("/getCaseCount", port: port)).flatMap { Int(String(buffer: $0)) }
        }
        let cases = try #require(count)
        for number in 1...cases { _ = try await self.visit("/runCase?case=\(number)&agent=culvert", port: port) }
        _ = try await self.visit("/updateReports?agent=culvert", port: port)
        // The suite's own program would serve on; the other writes its report when it ends.
        if self.isKosoku { try await self.untilExit(of: server) }
        try self.expectPassed(in: folder, "client")
    }

    /// Connects, echoes until the connection ends, and gives the first message that came.
    private func visit(_ target: String, port: Int) async throws -> ByteBuffer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let first = loop.makePromise(of: ByteBuffer.self)
        do {
            let channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            EchoingWebSocket(role: .client(target: target), firstMessage: first)
                        )
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
            try await channel.closeFuture.get()
        } catch {
            first.fail(error)
        }
        return try await first.futureResult.get()
    }
}
