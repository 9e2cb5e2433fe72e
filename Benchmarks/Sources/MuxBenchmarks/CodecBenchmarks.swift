// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Mux
import NIOCore
import Protocol

/// Decoder, encoder and WebSocket transport, without any connection.
struct CodecBenchmarks: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "codec", abstract: "Measures the codecs.")

    func run() throws {
        try self.decodeData()
        try self.decodeControl()
        self.encode()
        try self.webSocket()
    }

    private func decodeData() throws {
        var message = ByteBuffer()
        FrameEncoder.encode(
            .data(StreamID(rawValue: 2), ByteBuffer(repeating: 1, count: WireFormat.dataChunk), isLast: false),
            into: &message
        )
        let rounds = 2_000_000
        var bytes = 0
        let mark = Measurement.Mark()
        for _ in 0..<rounds {
            var decoder = FrameDecoder(message: message)
            while case .data(_, let payload, _)? = try decoder.next() { bytes += payload.readableBytes }
        }
        let cost = mark.elapsed
        precondition(bytes == rounds * WireFormat.dataChunk)
        report(
            "decode DATA",
            [
                "ns_per_frame": cost.processorSeconds * 1e9 / Double(rounds),
                "allocations_per_frame": Double(cost.allocations) / Double(rounds),
            ]
        )
    }

    private func decodeControl() throws {
        var message = ByteBuffer()
        for number in UInt64(0)..<64 {
            FrameEncoder.encode(.windowUpdate(StreamID(rawValue: 2), offset: number), into: &message)
        }
        let rounds = 50_000
        var frames = 0
        let mark = Measurement.Mark()
        for _ in 0..<rounds {
            var decoder = FrameDecoder(message: message)
            while try decoder.next() != nil { frames += 1 }
        }
        let cost = mark.elapsed
        report(
            "decode WINDOW_UPDATE",
            [
                "ns_per_frame": cost.processorSeconds * 1e9 / Double(frames),
                "allocations_per_frame": Double(cost.allocations) / Double(frames),
            ]
        )
    }

    private func encode() {
        let payload = ByteBuffer(repeating: 1, count: WireFormat.dataChunk)
        var message = ByteBuffer()
        message.reserveCapacity(32_768)
        let rounds = 500_000
        let mark = Measurement.Mark()
        for _ in 0..<rounds {
            message.clear()
            FrameEncoder.encode(.data(StreamID(rawValue: 2), payload, isLast: false), into: &message)
        }
        let cost = mark.elapsed
        report(
            "encode DATA",
            [
                "ns_per_frame": cost.processorSeconds * 1e9 / Double(rounds),
                "allocations_per_frame": Double(cost.allocations) / Double(rounds),
            ]
        )
    }

    private func webSocket() throws {
        for (isClient, name) in [(true, "masked"), (false, "plain")] {
            for size in [64, 1_024, 16_376] {
                var encoder = WebSocketEncoder(isClient: isClient, seed: 1)
                var decoder = WebSocketDecoder(isServer: isClient, maximumMessage: 65_536)
                let payload = ByteBuffer(repeating: 7, count: size)
                let rounds = size > 10_000 ? 200_000 : 1_000_000
                var bytes = 0
                let mark = Measurement.Mark()
                for _ in 0..<rounds {
                    var wire = ByteBuffer()
                    wire.reserveCapacity(size + 16)
                    encoder.encode(.binary, payload, into: &wire)
                    decoder.append(wire)
                    while case .binary(let message)? = try decoder.next() { bytes += message.readableBytes }
                }
                let cost = mark.elapsed
                precondition(bytes == rounds * size)
                report(
                    "WebSocket round trip, \(name), \(size) bytes",
                    [
                        "ns_per_message": cost.processorSeconds * 1e9 / Double(rounds),
                        "gigabytes_per_second": Double(bytes) / cost.processorSeconds / 1e9,
                        "allocations_per_message": Double(cost.allocations) / Double(rounds),
                    ]
                )
            }
        }
    }
}
