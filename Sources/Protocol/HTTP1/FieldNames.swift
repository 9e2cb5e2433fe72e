// SPDX-License-Identifier: Apache-2.0

/// The names of known fields, those of one length beside each other, so that most fields are passed over after one look.
struct FieldNames {
    private struct Entry {
        let name: FoldedName
        let field: KnownField
    }

    /// Which entries have names of a length.
    private struct Length {
        var start = 0
        var end = 0
        /// With which letters they begin, a bit a letter.
        var letters: UInt32 = 0
    }

    private let entries: [Entry]
    private var lengths = Array(repeating: Length(), count: FoldedName.longest + 1)

    private init() {
        let named = KnownField.allCases.filter { !$0.name.isEmpty }.map { (name: $0.name, field: $0) }
        let names = named + KnownField.clientAddressNames.map { (name: $0, field: .clientAddress) }
        self.entries = names.map { Entry(name: FoldedName($0.name), field: $0.field) }
            .sorted { $0.name.count < $1.name.count }
        for (index, entry) in self.entries.enumerated() {
            let count = entry.name.count
            if self.lengths[count].end == 0 { self.lengths[count].start = index }
            self.lengths[count].end = index + 1
            self.lengths[count].letters |= Self.bit(of: entry.name.first)
        }
    }

    /// All of them.
    static let all = FieldNames()

    private static func bit(of letter: UInt8) -> UInt32 { 1 << UInt32(letter & 0x1F) }

    /// The field with a name in any case.
    func field(of name: UnsafeRawBufferPointer) -> KnownField? {
        guard let first = name.first, name.count <= FoldedName.longest else { return nil }
        let length = self.lengths[name.count]
        guard length.letters & Self.bit(of: first) != 0 else { return nil }
        return self.field(FoldedName(name, foldsUnderscores: false), length)
    }

    @inline(__always)
    private func field(_ name: FoldedName, _ length: Length) -> KnownField? {
        for index in length.start..<length.end where self.entries[index].name == name {
            return self.entries[index].field
        }
        return nil
    }

    /// Whether a name that is no known one says how a request came: by its beginning, or as it reaches programs behind
    /// CGI, which turns hyphens into underscores, so that `X_Forwarded_For` becomes `X-Forwarded-For`.
    func isForwarding(_ name: UnsafeRawBufferPointer, foldsUnderscores: Bool) -> Bool {
        if foldsUnderscores, name.count <= FoldedName.longest {
            let folded = FoldedName(name, foldsUnderscores: true)
            if let field = self.field(folded, self.lengths[name.count]), field.isForwarding { return true }
        }
        guard name.first?.asciiLowercased == UInt8(ascii: "x"), name.count >= Self.prefix.count else { return false }
        let beginning = UnsafeRawBufferPointer(rebasing: name.prefix(Self.prefix.count))
        return FoldedName(beginning, foldsUnderscores: foldsUnderscores) == Self.prefix
    }

    private static let prefix = FoldedName("x-forwarded-")
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

    static func == (left: FoldedName, right: FoldedName) -> Bool {
        left.start == right.start && left.end == right.end && left.count == right.count
            && left.second == right.second && left.third == right.third
    }
}
