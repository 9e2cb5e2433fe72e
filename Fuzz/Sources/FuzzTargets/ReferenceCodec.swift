// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore

/// The reference codec as a program beside this one, which decodes one message after another.
final class ReferenceCodec {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var received: [UInt8] = []

    /// - Throws: what starting Python throws.
    init() throws {
        let script = URL(filePath: #filePath).appending(path: "../../../../Tests/ProtocolTests/Reference/refcodec.py")
        self.process.executableURL = URL(filePath: "/usr/bin/env")
        self.process.arguments = ["python3", script.standardizedFileURL.path, "--batch"]
        self.process.standardInput = self.input
        self.process.standardOutput = self.output
        try self.process.run()
    }

    deinit {
        // At the end of its input it ends.
        try? self.input.fileHandleForWriting.close()
        self.process.waitUntilExit()
    }

    /// What the reference codec says of a message, as a line of JSON.
    func describe(_ message: [UInt8]) throws -> String {
        var line: [UInt8] = []
        line.reserveCapacity(2 * message.count + 1)
        line.appendHexadecimal(message)
        line.append(UInt8(ascii: "\n"))
        try self.send(line)
        while true {
            if let end = self.received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { self.received.removeSubrange(...end) }
                return String(decoding: self.received[..<end], as: UTF8.self)
            }
            try self.receive()
        }
    }

    // Foundation gives up when a signal interrupts it, and libFuzzer's clock sends one each second.

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                write(self.input.fileHandleForWriting.fileDescriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Finding("the reference codec takes nothing more") }
            sent += count
        }
    }

    private func receive() throws {
        while true {
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(self.output.fileHandleForReading.fileDescriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Finding("the reference codec has ended") }
            self.received += chunk.prefix(count)
            return
        }
    }
}

extension [UInt8] {
    mutating func appendHexadecimal(_ bytes: some Sequence<UInt8>) {
        let digits = [UInt8]("0123456789abcdef".utf8)
        for byte in bytes {
            self.append(digits[Int(byte >> 4)])
            self.append(digits[Int(byte & 15)])
        }
    }
}
