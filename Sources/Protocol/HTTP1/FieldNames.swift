// SPDX-License-Identifier: Apache-2.0

/// The names of known fields in a table by their bytes; most other fields are passed over after a look at the first letter.
///
/// An object, since its tables would be retained at each look.
final class FieldNames: Sendable {
    private struct Entry {
        let name: FoldedName
        let field: KnownField
    }

    private let entries: [Entry]
    /// For each hash the number of an entry, counted from one, or the next free place behind that of another.
    private let places: [UInt8]
    /// With which letters the names of a length begin, a bit a letter.
    private let letters: [UInt32]

    private init() {
        let named = KnownField.allCases.filter { !$0.name.isEmpty }.map { (name: $0.name, field: $0) }
        let names = named + KnownField.clientAddressNames.map { (name: $0, field: .clientAddress) }
        self.entries = names.map { Entry(name: FoldedName($0.name), field: $0.field) }
        var letters = [UInt32](repeating: 0, count: FoldedName.longest + 1)
        var places = [UInt8](repeating: 0, count: 1 << FoldedName.hashBits)
        for (index, entry) in self.entries.enumerated() {
            letters[entry.name.count] |= Self.bit(of: entry.name.first)
            var place = entry.name.hash
            while places[place] != 0 { place = Self.next(place) }
            places[place] = UInt8(index + 1)
        }
        self.letters = letters
        self.places = places
    }

    /// All of them.
    static let all = FieldNames()

    private static func bit(of letter: UInt8) -> UInt32 { 1 << UInt32(letter & 0x1F) }

    /// What a name is known as, in any case; `nil` if that is no known one, and not all of it are letters, digits and hyphens.
    @inline(__always)
    func usual(_ name: UnsafeRawBufferPointer) -> KnownField? {
        if let field = self.field(of: name) { return field }
        guard ByteWords.areLettersDigitsHyphens(name) else { return nil }
        guard name.count >= self.prefix.count, name[0] | 0x20 == UInt8(ascii: "x") else { return .other }
        return self.isForwarding(name, foldsUnderscores: false) ? .xForwardedOther : .other
    }

    /// The field with a name in any case.
    @inline(__always)
    func field(of name: UnsafeRawBufferPointer) -> KnownField? {
        guard let first = name.first, name.count <= FoldedName.longest,
            self.letters[name.count] & Self.bit(of: first) != 0
        else { return nil }
        return self.field(FoldedName(name, foldsUnderscores: false))
    }

    @inline(__always)
    private func field(_ name: FoldedName) -> KnownField? {
        var place = name.hash
        while self.places[place] != 0 {
            let entry = self.entries[Int(self.places[place]) - 1]
            if entry.name == name { return entry.field }
            place = Self.next(place)
        }
        return nil
    }

    private static func next(_ place: Int) -> Int { (place + 1) & ((1 << FoldedName.hashBits) - 1) }

    /// Whether a name that is no known one says how a request came: by its beginning, or as it reaches programs behind
    /// CGI, which turns hyphens into underscores, so that `X_Forwarded_For` becomes `X-Forwarded-For`.
    func isForwarding(_ name: UnsafeRawBufferPointer, foldsUnderscores: Bool) -> Bool {
        if foldsUnderscores, name.count <= FoldedName.longest {
            let folded = FoldedName(name, foldsUnderscores: true)
            if let field = self.field(folded), field.isForwarding { return true }
        }
        guard name.first?.asciiLowercased == UInt8(ascii: "x"), name.count >= self.prefix.count else { return false }
        let beginning = UnsafeRawBufferPointer(rebasing: name.prefix(self.prefix.count))
        return FoldedName(beginning, foldsUnderscores: foldsUnderscores) == self.prefix
    }

    private let prefix = FoldedName("x-forwarded-")
}

/// A short name in lower case, as numbers: two of them are compared by a few instructions.
struct FoldedName: Equatable {
    /// The first and the last eight bytes.
    private let start: UInt64
    private let end: UInt64
    /// The eight bytes behind the first and before the last, of a name with more than sixteen.
    private let second: UInt64
    private let third: UInt64
    let count: Int
    /// The first byte, as it came.
    let first: UInt8

    /// The longest name that has room.
    static let longest = 32

    /// - Parameters:
    ///   - name: At most ``longest`` bytes, and at least one.
    ///   - foldsUnderscores: Whether an underscore counts as a hyphen.
    @inline(__always)
    init(_ name: UnsafeRawBufferPointer, foldsUnderscores: Bool) {
        func folded(_ word: UInt64) -> UInt64 {
            let word = ByteWords.lowercased(word)
            return foldsUnderscores ? ByteWords.hyphenated(word) : word
        }
        self.count = name.count
        self.first = name[0]
        let (start, end) = ByteWords.ends(name)
        self.start = folded(start)
        self.end = folded(end)
        let isLong = name.count > 16
        self.second = isLong ? folded(name.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) : 0
        self.third = isLong ? folded(name.loadUnaligned(fromByteOffset: name.count - 16, as: UInt64.self)) : 0
    }

    /// Folds a name of a known field.
    init(_ name: String) {
        var name = name
        self = name.withUTF8 { FoldedName(UnsafeRawBufferPointer($0), foldsUnderscores: false) }
    }

    /// How many bits ``hash`` has.
    static let hashBits = 8

    /// A number by which names are put in a table.
    var hash: Int {
        let mixed = (self.start ^ self.end &<< 7 ^ UInt64(self.count)) &* 0x9E37_79B9_7F4A_7C15
        return Int(mixed &>> UInt64(64 - Self.hashBits))
    }

    static func == (left: FoldedName, right: FoldedName) -> Bool {
        left.start == right.start && left.end == right.end && left.count == right.count
            && left.second == right.second && left.third == right.third
    }
}
