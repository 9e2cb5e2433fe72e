// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Testing

@testable import Edge

@Suite("The log's file, zone and environment")
struct LogFileTests {
    private func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-log-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func text(_ url: URL) -> String? { try? String(contentsOf: url, encoding: .utf8) }

    @Test("A file that is full makes way, the oldest is dropped, and no line is cut or lost in between")
    func rotation() throws {
        try self.inFolder { folder in
            let path = folder.appendingPathComponent("edge.log")
            let file = try RotatingLogFile(path: path.path, maxSize: 20, keptFiles: 2)
            for number in 1...9 { file.write("line \(number)..\n") }
            #expect(self.text(path) == "line 9..\n")
            #expect(self.text(folder.appendingPathComponent("edge.log.1")) == "line 7..\nline 8..\n")
            #expect(self.text(folder.appendingPathComponent("edge.log.2")) == "line 5..\nline 6..\n")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
        }
    }

    @Test("A restart goes on at the end of the file, and a line longer than a file is written whole")
    func restart() throws {
        try self.inFolder { folder in
            let path = folder.appendingPathComponent("edge.log")
            try RotatingLogFile(path: path.path, maxSize: 20, keptFiles: 1).write("before...\n")
            let file = try RotatingLogFile(path: path.path, maxSize: 20, keptFiles: 1)
            file.write("after....\n")
            #expect(self.text(path) == "before...\nafter....\n")
            let long = String(repeating: "x", count: 50) + "\n"
            file.write(long)
            #expect(self.text(path) == long)
        }
    }

    @Test("A next file that can't be opened is tried again with every line")
    func comesBack() throws {
        try self.inFolder { folder in
            let inner = folder.appendingPathComponent("logs")
            try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
            let path = inner.appendingPathComponent("edge.log")
            let file = try RotatingLogFile(path: path.path, maxSize: 20, keptFiles: 1)
            file.write("line 1..\nline 2..\n")
            try FileManager.default.removeItem(at: inner)
            file.write("line 3..\n")
            #expect(self.text(path) == nil)
            try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
            file.write("line 4..\n")
            #expect(self.text(path) == "line 4..\n")
        }
    }

    @Test("A file that can't be written is a mistake in the configuration, told at the start")
    func unwritable() {
        #expect(throws: CredentialFiles.Failure.self) {
            try RotatingLogFile(path: "/no/such/folder/edge.log", maxSize: 20, keptFiles: 1)
        }
    }

    @Test(
        "Timestamps are in the zone that was asked for",
        arguments: [
            ("UTC", "2026-01-02T03:04:05.500Z"), ("+02:00", "2026-01-02T05:04:05.500+02:00"),
            ("-03:30", "2026-01-01T23:34:05.500-03:30"),
        ]
    )
    func zone(name: String, stamp: String) throws {
        let zone = try #require(LogTimeZone(setting: name))
        #expect(zone.stamp(Date(timeIntervalSince1970: 1_767_323_045.5)) == stamp)
    }

    @Test(
        "What is no zone is refused",
        arguments: ["", "Mars/Olympus", "+2", "+25:00", "+02:60", "../../../etc/passwd", "/etc/passwd"]
    )
    func noZone(name: String) {
        #expect(LogTimeZone(setting: name) == nil)
    }
}
