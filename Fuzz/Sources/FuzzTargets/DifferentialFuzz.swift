// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

@testable import Protocol

/// The frame decoder against the reference codec, which shares no code with it.
///
/// Both take or refuse the same messages, with the same code, and see the same frames in them.
enum DifferentialFuzz {
    /// Started once: starting Python for each input would take too long.
    private static let reference = Mutex<ReferenceCodec?>(nil)

    static func check(_ input: [UInt8]) throws {
        let expected = try self.reference.withLock { reference in
            let running = try reference ?? ReferenceCodec()
            reference = running
            return try running.describe(input)
        }
        let actual = self.describe(input)
        try Finding.unless(actual == expected, "the reference codec says \(expected), the decoder \(actual)")
    }

    // MARK: The words of the reference codec

    private static func describe(_ message: [UInt8]) -> String {
        do {
            let frames = try FrameFuzz.decode(ByteBuffer(bytes: message))
            return "[" + frames.map(self.describe).joined(separator: ",") + "]"
        } catch {
            let code = (error as? ProtocolViolation)?.code.description ?? "\(error)"
            return #"{"error":"\#(code)"}"#
        }
    }

    private static func describe(_ frame: Frame) -> String {
        if case .extension(let type, let stream, let length) = frame {
            return #"["EXT_0x\#(String(type, radix: 16))",\#(stream),\#(length)]"#
        }
        let encoded = FrameFuzz.encode([frame])
        let header = FrameHeader(word: encoded.getInteger(at: encoded.readerIndex) ?? 0)
        let payload = Array(encoded.readableBytesView.dropFirst(WireFormat.headerLength))
        var row: [String] = ["\(header.flags)", "\(header.streamID)"]
        let name: String
        let prefix: Int
        var more: [String] = []
        switch frame {
        case .data: (name, prefix) = ("DATA", payload.count)
        case .open(_, let open):
            (name, prefix) = ("OPEN", 12)
            switch open.metadata {
            case .success(let metadata): more = [self.quoted(Array(metadata.target.utf8))]
            case .failure: more = ["null"]
            }
        case .openAck: (name, prefix) = ("OPEN_ACK", 0)
        case .reject: (name, prefix) = ("REJECT", 4)
        case .windowUpdate: (name, prefix) = ("WINDOW_UPDATE", 8)
        case .blocked: (name, prefix) = ("BLOCKED", 8)
        case .reset: (name, prefix) = ("RESET", 4)
        case .stopSending: (name, prefix) = ("STOP_SENDING", 4)
        case .ping: (name, prefix) = ("PING", 8)
        case .pong: (name, prefix) = ("PONG", 8)
        case .goAway: (name, prefix) = ("GOAWAY", 16)
        case .maximumStreams: (name, prefix) = ("MAX_STREAMS", 4)
        case .acknowledge: (name, prefix) = ("ACK", 8)
        case .hello(let hello):
            (name, prefix) = ("HELLO", 16)
            let settings = hello.settings
            more = [
                settings.initialWindow, settings.connectionWindow, settings.maximumStreams, settings.maximumMessage,
                settings.idleTimeoutMilliseconds,
            ].map(String.init)
        case .extension: (name, prefix) = ("", 0)
        }
        row.append(self.quoted(payload.prefix(prefix)))
        return "[" + ([#""\#(name)""#] + row + more).joined(separator: ",") + "]"
    }

    private static func quoted(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        text.appendHexadecimal(bytes)
        text.append(UInt8(ascii: "\""))
        return String(decoding: text, as: UTF8.self)
    }
}
