// SPDX-License-Identifier: Apache-2.0

/// Finds the word that somebody has probably meant.
package enum NearestWord {
    /// The nearest of some words, if it is near: one slip in a short word, two where either is longer.
    package static func to(_ word: String, among words: some Sequence<String>) -> String? {
        let word = word.lowercased()
        let near = words.map { (word: $0, distance: self.distance(word, $0.lowercased())) }.filter {
            // "tunel" is two slips away from "tunnels"; of four letters two are half of the word.
            $0.distance <= (word.count > 4 && max(word.count, $0.word.count) > 5 ? 2 : 1)
        }
        return near.min { ($0.distance, $0.word) < ($1.distance, $1.word) }?.word
    }

    /// The nearest of some flags, with its hyphens: these are no letters that could be right or wrong.
    package static func toFlag(_ flag: String, among flags: some Sequence<String>) -> String? {
        func name(_ flag: String) -> String { String(flag.drop { $0 == "-" }) }
        let flags = Dictionary(flags.map { (name($0), $0) }) { first, _ in first }
        return self.to(name(flag), among: flags.keys).flatMap { flags[$0] }
    }

    /// How many letters have to be put in, left out, replaced or swapped with their neighbour.
    package static func distance(_ first: String, _ second: String) -> Int {
        // Both are words of a command line; what is longer is no slip.
        let (a, b) = (Array(first.utf8.prefix(64)), Array(second.utf8.prefix(64)))
        var rows: [[Int]] = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var least = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
