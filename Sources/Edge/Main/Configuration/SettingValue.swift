// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOCore
import Program

/// A value that a setting can have: written as text in a flag, an environment variable or a file.
protocol SettingValue: Sendable {
    /// What the text has to be, for the message about one that isn't: "a duration such as 30s".
    static var expectation: String { get }
    /// Whether there may be several values.
    static var isList: Bool { get }
    /// Reads the text; `nil` for one that isn't a value.
    init?(setting text: String)
    /// The text that reads as this value.
    var settingText: String { get }
}

extension SettingValue {
    static var isList: Bool { false }
}

extension String: SettingValue {
    static var expectation: String { "a text" }

    init?(setting text: String) { self = text }

    var settingText: String { self }
}

extension Bool: SettingValue {
    static var expectation: String { "true or false" }

    init?(setting text: String) {
        switch text.lowercased() {
        case "true", "yes", "on", "1": self = true
        case "false", "no", "off", "0": self = false
        default: return nil
        }
    }

    var settingText: String { self ? "true" : "false" }
}

extension Int: SettingValue {
    static var expectation: String { "a number of 1 or more" }

    init?(setting text: String) {
        guard let number = Int(text), number >= 1 else { return nil }
        self = number
    }

    var settingText: String { String(self) }
}

/// Several values, separated by commas or, in a file, as a list.
struct SettingList<Element: SettingValue>: SettingValue {
    /// The values.
    var elements: [Element]

    static var expectation: String { "\(Element.expectation), or several separated by commas" }
    static var isList: Bool { true }

    init(_ elements: [Element]) { self.elements = elements }

    init?(setting text: String) {
        var elements: [Element] = []
        for part in text.split(separator: ",") {
            guard let element = Element(setting: String(part.trimmingPrefix { $0 == " " })) else { return nil }
            elements.append(element)
        }
        self.elements = elements
    }

    var settingText: String { self.elements.map(\.settingText).joined(separator: ",") }
}

extension AddressRange: SettingValue {
    static var expectation: String { "an address or a network such as 10.0.0.0/8" }

    init?(setting text: String) { self.init(text) }

    var settingText: String { self.description }
}

extension TimeAmount: SettingValue {
    static var expectation: String { "a duration such as 500ms, 30s, 5m, 12h or 7d; a number alone is seconds" }

    init?(setting text: String) {
        guard let duration = TypedDuration(text) else { return nil }
        let (nanoseconds, overflow) = duration.milliseconds.multipliedReportingOverflow(by: 1_000_000)
        guard !overflow else { return nil }
        self = .nanoseconds(nanoseconds)
    }

    var settingText: String { TypedDuration(milliseconds: self.nanoseconds / 1_000_000).text }
}

/// Ports from one to another.
struct PortRange: SettingValue {
    /// The ports.
    var ports: ClosedRange<UInt16>

    static var expectation: String { "a port, or ports such as 20000-20099" }

    init?(setting text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
        guard (1...2).contains(parts.count), let first = parts[0], let last = parts[parts.count - 1], first > 0,
            first <= last
        else { return nil }
        self.ports = first...last
    }

    var settingText: String { "\(self.ports.lowerBound)-\(self.ports.upperBound)" }
}

/// A number of bytes.
struct ByteCount: SettingValue, Comparable {
    /// The bytes.
    var bytes: Int

    static var expectation: String { "a size such as 512, 64KiB or 1MiB" }

    private static var units: [(suffix: String, bytes: Int)] {
        [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("kB", 1000), ("MB", 1_000_000), ("B", 1), ("", 1)]
    }

    init(_ bytes: Int) { self.bytes = bytes }

    static func < (one: ByteCount, other: ByteCount) -> Bool { one.bytes < other.bytes }

    init?(setting text: String) {
        guard let unit = Self.units.first(where: { text.hasSuffix($0.suffix) }),
            let number = Int(text.dropLast(unit.suffix.count)), number >= 0
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        guard !overflow else { return nil }
        self.bytes = bytes
    }

    var settingText: String {
        let unit = Self.units[0...2].last { self.bytes.isMultiple(of: $0.bytes) && self.bytes > 0 }
        return unit.map { "\(self.bytes / $0.bytes)\($0.suffix)" } ?? "\(self.bytes)"
    }
}

/// Where to listen: a host and a port.
struct ListenAddress: SettingValue, Hashable, CustomStringConvertible {
    /// An IP address, or a name that resolves to one.
    var host: String
    /// The port; 0 lets the system choose.
    var port: Int

    static var expectation: String { "an address and a port such as 127.0.0.1:8989, 0.0.0.0:8989 or [::1]:8989" }

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    init?(setting text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = Int(port)
    }

    var settingText: String { self.description }

    var description: String { self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)" }

    /// Whether only this machine can connect.
    var isLoopback: Bool {
        if self.host == "localhost" { return true }
        guard let address = IPAddress(self.host) else { return false }
        return address.bytes.count == 4
            ? address.bytes[0] == 127 : address.bytes == Array(repeating: 0, count: 15) + [1]
    }
}

extension SettingValue where Self: RawRepresentable, RawValue == String, Self: CaseIterable {
    static var expectation: String { Self.allCases.map(\.rawValue).joined(separator: " or ") }

    init?(setting text: String) { self.init(rawValue: text) }

    var settingText: String { self.rawValue }
}
