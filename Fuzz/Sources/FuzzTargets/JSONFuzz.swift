// SPDX-License-Identifier: Apache-2.0
import Foundation

@testable import ControlAPI
@testable import JSONText

/// The strict reader of JSON, with Foundation as a second opinion.
///
/// Whoever decodes what the strict reader has checked must see the same value. A text that Foundation reads and we refuse
/// has to be refused for one of the reasons that are ours. What is accepted as the body of a call survives encoding.
enum JSONFuzz {
    /// The longest text that Foundation is asked about: in what is longer, our own reader alone is to show what it takes.
    private static let longestCompared = 1_024

    static func check(_ input: [UInt8]) throws {
        let outline: JSONOutline
        do {
            outline = try JSONOutline(input)
        } catch {
            return try self.checkRefusal(error, input)
        }
        if input.count <= self.longestCompared { try self.checkAgreement(outline, input) }
        try self.checkCall(input)
    }

    // MARK: The text

    /// The decoder sees what the outline says, so that nothing passes that the rules have not seen.
    private static func checkAgreement(_ outline: JSONOutline, _ input: [UInt8]) throws {
        let data = Data(input)
        do {
            _ = try JSONDecoder().decode(Agreement.self, from: data, configuration: outline)
            _ = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
        } catch let finding as Finding {
            throw finding
        } catch {
            // A number that no Double holds is JSON all the same.
            try Finding.unless(self.hasHugeNumber(outline), "Foundation refuses what we read: \(error)")
        }
    }

    private static func hasHugeNumber(_ outline: JSONOutline) -> Bool {
        switch outline {
        case .object(let members): members.contains { self.hasHugeNumber($0.value) }
        case .array(let elements): elements.contains { self.hasHugeNumber($0) }
        case .number(let text):
            text.utf8.count > 15 || !(Double(text)?.isFinite ?? false) || text.contains { $0 == "e" || $0 == "E" }
        case .string, .boolean, .null: false
        }
    }

    private static func checkRefusal(_ fault: JSONFault, _ input: [UInt8]) throws {
        try Finding.unless((fault.field?.utf8.count ?? 0) <= 512, "a fault names \(fault.field ?? "")")
        guard input.count <= self.longestCompared else { return }
        // A NUL or two at the start make Foundation read another encoding.
        guard !input.contains(0), !input.starts(with: [0xFE, 0xFF]), !input.starts(with: [0xFF, 0xFE]) else { return }
        let reasons = ["is there twice", "is nested deeper than", "it is not UTF-8"]
        guard !reasons.contains(where: { fault.message.contains($0) }) else { return }
        // Foundation takes a comma behind the last value.
        let strict = self.withoutTrailingCommas(input)
        guard strict == input else {
            do {
                _ = try JSONOutline(strict)
                return
            } catch {
                return try self.checkRefusal(error, strict)
            }
        }
        let value = try? JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)
        try Finding.unless(value == nil, "Foundation reads what we refuse: \(fault)")
    }

    private static func withoutTrailingCommas(_ input: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        var comma: Int?
        var isQuoted = false
        var isEscaped = false
        for byte in input {
            if isQuoted {
                if !isEscaped, byte == UInt8(ascii: "\"") { isQuoted = false }
                isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
            } else {
                switch byte {
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    if let comma { output.remove(at: comma) }
                    comma = nil
                case 0x20, 0x09, 0x0A, 0x0D: break
                case UInt8(ascii: ","): comma = output.count
                default:
                    comma = nil
                    isQuoted = byte == UInt8(ascii: "\"")
                }
            }
            output.append(byte)
        }
        return output
    }

    // MARK: The body of a call

    private static func checkCall(_ input: [UInt8]) throws {
        let call: CreateTunnelRequest
        do {
            call = try self.decode(input)
        } catch {
            return try Finding.unless(!error.message.isEmpty, "a fault without words")
        }
        let encoded = Array(try APICoding.makeEncoder().encode(call))
        do {
            let again = try self.decode(encoded)
            try Finding.unless(again == call, "encoding turned \(call) into \(again)")
        } catch let fault as JSONFault {
            throw Finding("what was encoded is refused: \(fault)")
        }
    }

    private static func decode(_ bytes: [UInt8]) throws(JSONFault) -> CreateTunnelRequest {
        try StrictJSON.decode(
            CreateTunnelRequest.self,
            members: .createTunnel(.tunnel),
            from: bytes,
            decoder: APICoding.makeDecoder()
        )
    }
}

/// Decodes what an outline says has to be there, and throws a finding where it is not.
private struct Agreement: DecodableWithConfiguration {
    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder, configuration outline: JSONOutline) throws {
        switch outline {
        case .object(let members):
            let container = try decoder.container(keyedBy: Name.self)
            try Finding.unless(
                Set(container.allKeys.map(\.stringValue)) == Set(members.map(\.name)),
                "the decoder sees the members \(container.allKeys.map(\.stringValue)), we \(members.map(\.name))"
            )
            for member in members {
                _ = try container.decode(
                    Agreement.self,
                    forKey: Name(stringValue: member.name),
                    configuration: member.value
                )
            }
        case .array(let elements):
            var container = try decoder.unkeyedContainer()
            try Finding.unless(container.count == elements.count, "the decoder sees another number of elements")
            for element in elements { _ = try container.decode(Agreement.self, configuration: element) }
        case .string(let text):
            let decoded = try decoder.singleValueContainer().decode(String.self)
            try Finding.unless(
                decoded.utf8.elementsEqual(text.utf8),
                "the decoder sees \(String(reflecting: decoded)), we \(String(reflecting: text))"
            )
        case .number(let text):
            let decoded = try decoder.singleValueContainer().decode(Double.self)
            try Finding.unless(decoded == Double(text), "the decoder sees \(decoded), we \(text)")
        case .boolean(let isTrue):
            let decoded = try decoder.singleValueContainer().decode(Bool.self)
            try Finding.unless(decoded == isTrue, "the decoder sees \(decoded), we \(isTrue)")
        case .null:
            try Finding.unless(try decoder.singleValueContainer().decodeNil(), "the decoder sees no null")
        }
    }
}
