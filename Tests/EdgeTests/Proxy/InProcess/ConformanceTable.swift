// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The tables of `Tests/EndToEndTests/Peers/conformance`, which run there over sockets, as data.
struct ConformanceTable: Decodable {
    var exchanges: [Case]
    var smuggling: [Case]

    /// What both ends do, and what each must be sent for it.
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        var name: String
        var tunnel: String
        var visitor: [Step]
        var origin: [[Step]]
        var request: Template?
        var response: Template?
        var comparesRequest: Bool
        var look: Lines?
        var judge: Judge?

        var testDescription: String { self.name }
    }

    /// Bytes with places for what differs from place to place.
    struct Template: Decodable, Sendable {
        var bytes = Data()

        private struct Run: Decodable {
            var `repeat`: String
            var count: Int
        }

        init(_ text: String) {
            self.bytes = Data(text.utf8)
        }

        init(from decoder: any Decoder) throws {
            var pieces = try decoder.unkeyedContainer()
            while !pieces.isAtEnd {
                if let text = try? pieces.decode(String.self) {
                    self.bytes.append(Self.latin1(text))
                } else {
                    let run = try pieces.decode(Run.self)
                    let unit = Self.latin1(run.repeat)
                    for _ in 0..<run.count { self.bytes.append(unit) }
                }
            }
        }

        private static func latin1(_ text: String) -> Data {
            Data(text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
        }
    }

    enum Step: Decodable, Sendable {
        case send(Template)
        case until(Template)
        case take(Int)
        case ended(within: Double, how: ConnectionEnd?)
        /// The visitor waits until an origin has been sent this.
        case atOrigin(Template)
        case pause(Double)
        case stillOpen(Double)
        case shut
        case close
        case reset

        private enum Key: String, CodingKey {
            case kind
            case bytes
            case end
            case what
            case count
            case within
            case how
            case seconds
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Key.self)
            switch try members.decode(String.self, forKey: .kind) {
            case "Send": self = .send(try members.decode(Template.self, forKey: .bytes))
            case "Until": self = .until(try members.decode(Template.self, forKey: .end))
            case "Take", "Body": self = .take(try members.decode(Int.self, forKey: .count))
            case "Ended":
                self = .ended(
                    within: try members.decode(Double.self, forKey: .within),
                    how: try members.decodeIfPresent(ConnectionEnd.self, forKey: .how)
                )
            case "AtOrigin": self = .atOrigin(try members.decode(Template.self, forKey: .what))
            case "Pause": self = .pause(try members.decode(Double.self, forKey: .seconds))
            case "StillOpen": self = .stillOpen(try members.decode(Double.self, forKey: .seconds))
            case "Shut": self = .shut
            case "Close": self = .close
            case "Reset": self = .reset
            case let kind:
                throw DecodingError.dataCorruptedError(
                    forKey: .kind,
                    in: members,
                    debugDescription: "the step \(kind) is not known"
                )
            }
        }
    }

    /// Lines that the origin must get, each once and as a whole, and texts that it must not.
    struct Lines: Decodable, Sendable {
        var lines: [Template]
        var absent: [Template]
    }

    /// What is asked of what the visitor got, in place of a comparison.
    struct Judge: Decodable, Sendable {
        var kind: String
        var status: Int?
        var code: Template?
        var ends: Bool?
        var once: Bool?
        var absent: Template?
        var prefix: Template?
        var how: ConnectionEnd?
        var text: Template?
    }

    /// Reads the tables as `table.py` prints them.
    static func load() throws -> ConformanceTable {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let script = root.appendingPathComponent("../../../EndToEndTests/Peers/conformance/table.py").standardized
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-B", script.path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return try JSONDecoder().decode(ConformanceTable.self, from: bytes)
    }
}

/// How a connection ended, as its other end sees it.
enum ConnectionEnd: String, Decodable, Sendable {
    case end
    case reset
}
