// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Logging
import NIOConcurrencyHelpers
import Program
import Protocol
import Testing

@testable import Edge
@testable import EdgeControl
@testable import EdgeTunnels

extension SettingCase {
    /// The log, the end and the threads.
    static var operation: [SettingCase] {
        [
            SettingCase("log.level") {
                let warnings = try Self.log(["--log-level", "warning"])
                #expect(warnings.count == 1)
                let traces = try Self.log(["--log-level", "trace"])
                #expect(traces.count == 3)
            },
            SettingCase("log.format") {
                let json = try Self.log(["--log-format", "json"])
                #expect(json.allSatisfy { $0.hasPrefix("{\"time\"") })
                let text = try Self.log(["--log-format", "text"])
                #expect(text.allSatisfy { $0.contains(" environment=local") })
                let piped = try Self.log(["--log-format", "auto"])
                #expect(piped.allSatisfy { $0.hasPrefix("{") })
                let shown = try Self.log(["--log-format", "auto"], isTerminal: true)
                #expect(shown.allSatisfy { !$0.hasPrefix("{") })
            },
            SettingCase("log.timezone") {
                let lines = try Self.log(["--log-timezone", "+05:30"])
                #expect(lines.allSatisfy { $0.contains("+05:30") })
            },
            SettingCase("log.file") {
                try await Self.inFolder { folder in
                    let file = folder.appending(path: "edge.log")
                    let lines = try Self.log(["--log-file", file.path])
                    #expect(try String(contentsOf: file, encoding: .utf8) == lines.joined())
                }
            },
            SettingCase("log.file-size") {
                try await Self.inFolder { folder in
                    let file = folder.appending(path: "edge.log").path
                    try Self.fill(["--log-file", file, "--log-file-size", "4KiB"])
                    let size = try FileManager.default.attributesOfItem(atPath: "\(file).1")[.size] as? Int
                    #expect((3_000...4_096).contains(size ?? 0))
                }
            },
            SettingCase("log.file-count") {
                try await Self.inFolder { folder in
                    let file = folder.appending(path: "edge.log").path
                    try Self.fill(["--log-file", file, "--log-file-size", "4KiB", "--log-file-count", "2"])
                    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                    #expect(names == ["edge.log", "edge.log.1", "edge.log.2"])
                }
            },
            SettingCase("shutdown.delay") {
                try await EdgeUnderTest.run(["--shutdown-delay", "2s"]) { edge in
                    await edge.stop()
                    try await edge.until("the edge is unready") { try await edge.admin("/readyz").status == 503 }
                    #expect(try await edge.get("/nobody/")["Culvert-Error"] == "tunnel_not_found")
                    try await edge.until("the listener is closed") { (try? await edge.get("/nobody/")) == nil }
                }
            },
            SettingCase("shutdown.grace") {
                try await EdgeUnderTest.run(["--shutdown-grace", "1m"]) { edge in
                    let tunnel = try await edge.makeTunnel()
                    let connector = try await edge.connect(tunnel, origin: .silent)
                    async let last = edge.get("/\(tunnel.tunnelID)/")
                    try await edge.until("the request is at the origin") {
                        connector.opened.withLockedValue { !$0.isEmpty }
                    }
                    await edge.stop()
                    try await edge.until("the listener is closed") { (try? await edge.get("/nobody/")) == nil }
                    try await connector.answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
                    #expect(try await last.body == "last")
                }
            },
            SettingCase("event-loops") {
                for loops in [1, 3] {
                    let threads = try Self.eventLoopThreads(["--event-loops", "\(loops)"])
                    #expect(threads == loops)
                }
            },
        ]
    }

    /// The lines that an edge set so writes: one of each of three levels.
    private static func log(_ arguments: [String], isTerminal: Bool = false) throws -> [String] {
        let lines = NIOLockedValueBox<[String]>([])
        let sink = LogSink(isTerminal: isTerminal) { line in lines.withLockedValue { $0.append(line) } }
        let read = EdgeUnderTest.read(arguments)
        try #require(read.problems == [])
        let makeOutput = try LogOutput.outputs(read.configuration, writingTo: sink)
        let logger = Logger(label: "culvert.test", factory: { makeOutput($0) })
        logger.trace("one")
        logger.info("two")
        logger.warning("three")
        QueuedLines.flush()
        return lines.withLockedValue { $0 }
    }

    /// Writes more than fits into three files of 4 KiB.
    private static func fill(_ arguments: [String]) throws {
        let read = EdgeUnderTest.read(arguments)
        try #require(read.problems == [])
        let makeOutput = try LogOutput.outputs(read.configuration, writingTo: LogSink(isTerminal: false) { _ in })
        let logger = Logger(label: "culvert.test", factory: { makeOutput($0) })
        for _ in 0..<250 { logger.info("a line of the log that is about as long as most are") }
        QueuedLines.flush()
    }

    /// How many threads of event loops the program has that is set so.
    private static func eventLoopThreads(_ arguments: [String]) throws -> Int {
        let edge = try EdgeProgram(["--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"] + arguments)
        defer {
            edge.terminate()
            _ = edge.end()
        }
        #expect(edge.greeting().contains("culvert-edge listens on"))
        let tasks = URL(filePath: "/proc/\(edge.identifier)/task")
        return try FileManager.default.contentsOfDirectory(atPath: tasks.path)
            .compactMap { try? String(contentsOf: tasks.appending(path: "\($0)/comm"), encoding: .utf8) }
            .count { $0.hasPrefix("NIO-SGLTN-1-") }
    }
}
