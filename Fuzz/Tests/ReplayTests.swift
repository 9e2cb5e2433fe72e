// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Mux

/// What the fuzzers have found and what they start from, run by the ordinary tests.
@Suite("Kept inputs of the fuzzers")
struct ReplayTests {
    @Test("no input of the corpus finds anything", arguments: FuzzTarget.allCases)
    func corpus(target: FuzzTarget) throws {
        let inputs = try KeptInput.all(in: "Corpus", of: target)
        #expect(inputs.count >= 20, "the corpus of \(target) is missing")
        self.replay(inputs, target)
    }

    @Test("what was once found is not found again", arguments: FuzzTarget.allCases)
    func failCases(target: FuzzTarget) throws {
        self.replay(try KeptInput.all(in: "FailCases", of: target), target)
    }

    @Test("the reference codec agrees on messages made of parts of the corpus")
    func mutations() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(seed: seed)
        let inputs = try KeptInput.all(in: "Corpus", of: .differential).map(\.bytes).filter { !$0.isEmpty }
        for _ in 0..<2_000 {
            let message = try Self.mutate(inputs, using: &random)
            do {
                try FuzzTarget.differential.check(message)
            } catch {
                Issue.record("seed \(seed), message \(message.map { String($0, radix: 16) }): \(error)")
            }
        }
    }

    private func replay(_ inputs: [KeptInput], _ target: FuzzTarget) {
        for input in inputs {
            #expect(throws: Never.self, "\(input.path)") { try target.check(input.bytes) }
        }
    }

    /// Joins two messages, and changes a few bytes.
    private static func mutate(_ inputs: [[UInt8]], using random: inout SplitMix) throws -> [UInt8] {
        var message = try #require(inputs.randomElement(using: &random))
        if Bool.random(using: &random) { message += try #require(inputs.randomElement(using: &random)) }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let index = try #require(message.indices.randomElement(using: &random))
            switch Int.random(in: 0...3, using: &random) {
            case 0: message[index] = UInt8.random(in: .min ... .max, using: &random)
            case 1: message[index] ^= 1 << UInt8.random(in: 0...7, using: &random)
            case 2: message.insert(UInt8.random(in: 0...3, using: &random), at: index)
            default: if message.count > 1 { message.remove(at: index) }
            }
        }
        return message
    }
}

/// A file beside the fuzzers.
struct KeptInput {
    var path: String
    var bytes: [UInt8]

    /// The files of a target, by name; none if it has no folder.
    static func all(in folder: String, of target: FuzzTarget) throws -> [KeptInput] {
        let fuzz = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let files = fuzz.appending(path: folder).appending(path: target.rawValue)
        guard FileManager.default.fileExists(atPath: files.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: files.path).sorted().map { name in
            let file = files.appending(path: name)
            return KeptInput(
                path: "Fuzz/\(folder)/\(target.rawValue)/\(name)",
                bytes: Array(try Data(contentsOf: file))
            )
        }
    }
}
