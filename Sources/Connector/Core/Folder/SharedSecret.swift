// SPDX-License-Identifier: Apache-2.0

/// Files that no visitor of a shared folder gets: keys and tokens, which people keep where they work.
enum SharedSecret {
    /// The largest file that is looked into, in bytes; keys are smaller.
    static let largest = 64 << 10

    /// Files that the programs of Culvert write, whose contents may be nothing that is recognised.
    private static let names: Set = ["api-keys.json", "signing-keys.json", "inbox.key", "login.json"]

    /// Whether a file is one; reads it if it is small.
    static func isIn(_ file: SharedFile, named name: String) -> Bool {
        if self.names.contains(name) { return true }
        guard file.size <= self.largest else { return false }
        var bytes = [UInt8](repeating: 0, count: file.size)
        let count = bytes.withUnsafeMutableBytes { file.read(at: 0, into: $0) }
        return self.isIn(bytes[..<(count ?? 0)])
    }

    /// Whether contents have a private key in PEM (RFC 7468) or an API key of an edge, or are a token and nothing else.
    static func isIn(_ bytes: ArraySlice<UInt8>) -> Bool {
        if bytes.firstRange(of: "PRIVATE KEY-----".utf8) != nil { return true }
        if let key = bytes.firstRange(of: "cvk_".utf8) {
            let rest = bytes[key.upperBound...].prefix { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) }
            if rest.count >= 24 { return true }
        }
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x0a || $0 == 0x0d }
        let word = bytes.drop(while: isSpace).prefix { !isSpace($0) }
        // The head of a JSON Web Token begins with {" (RFC 7519).
        return word.starts(with: "eyJ".utf8) && word.count { $0 == UInt8(ascii: ".") } == 2
            && bytes[word.endIndex...].allSatisfy(isSpace)
    }
}
