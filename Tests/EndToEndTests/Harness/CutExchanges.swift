// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Exchanges of every kind through a tunnel, which `cut_exchanges.py` makes and compares while a test makes trouble.
struct CutExchanges {
    /// What the script prints.
    struct Outcome: Decodable {
        var failures: [String]
        var downloads: Int
        var uploads: Int
        var messages: Int
        var events: Int
        var posts: Int
        /// The longest wait of a conversation for its answer, in milliseconds.
        var worst: Double

        private enum CodingKeys: String, CodingKey {
            case failures, downloads, uploads, messages, events, posts
            case worst = "worst_ms"
        }
    }

    let seconds: Double
    private let process: RunningProcess

    /// How large each download and upload is.
    static let mebibytes = Programs.isFullSize ? 64 : 4

    /// Begins the exchanges.
    ///
    /// - Parameters:
    ///   - originPort: Where the script is the origin of the tunnel.
    ///   - url: The tunnel, as visitors reach it, with a slash at the end.
    ///   - seconds: For how long exchanges are begun.
    init(originPort: Int, url: String, seconds: Double, in scratch: ScratchFolder) async throws {
        self.seconds = seconds
        let start = scratch.file("start-\(originPort)")
        self.process = try RunningProcess(
            "python3",
            [Programs.peer("cut_exchanges.py"), "\(originPort)", url, "\(seconds)", "\(Self.mebibytes)", start.path],
            in: scratch
        )
        try await eventually("the origin") { FileManager.default.fileExists(atPath: start.path) ? () : nil }
        try FileManager.default.removeItem(at: start)
    }

    /// Waits for the end of all exchanges.
    func outcome() async throws -> Outcome {
        let output = try await self.process.successfulOutput(within: .seconds(self.seconds + 60))
        return try JSONDecoder().decode(Outcome.self, from: Data(output.utf8))
    }
}
