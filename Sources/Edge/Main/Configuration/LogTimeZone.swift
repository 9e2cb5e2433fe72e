// SPDX-License-Identifier: Apache-2.0

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The time zone of timestamps in the log.
struct LogTimeZone: SettingValue, Equatable {
    /// The name in the time zone database, or an offset such as `+02:00`.
    let name: String
    private let fixedOffset: Int?

    /// Coordinated Universal Time.
    static let utc = LogTimeZone(name: "UTC", fixedOffset: 0)

    static var expectation: String {
        "UTC, an offset such as +02:00, or a zone that this machine knows (Europe/Berlin)"
    }

    private init(name: String, fixedOffset: Int?) {
        self.name = name
        self.fixedOffset = fixedOffset
    }

    init?(setting text: String) {
        if text == "UTC" || text == "Z" {
            self = .utc
        } else if let offset = Self.offset(text) {
            self.init(name: text, fixedOffset: offset)
        } else {
            let isName = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } && !text.hasPrefix("/") && !text.contains("..")
            guard isName, !text.isEmpty, FileManager.default.isReadableFile(atPath: "/usr/share/zoneinfo/\(text)")
            else {
                return nil
            }
            self.init(name: text, fixedOffset: nil)
        }
    }

    var settingText: String { self.name }

    /// Makes the C library use a named zone; to be called once, before there are threads.
    func adopt() {
        guard self.fixedOffset == nil else { return }
        setenv("TZ", self.name, 1)
        tzset()
    }

    /// A time as RFC 3339 writes it, in this zone.
    func stamp(_ time: Date) -> String {
        let offset = self.fixedOffset ?? Self.systemOffset(time)
        guard offset != 0, let zone = TimeZone(secondsFromGMT: offset) else {
            return time.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        }
        return time.formatted(
            Date.ISO8601FormatStyle(timeZoneSeparator: .colon, includingFractionalSeconds: true, timeZone: zone)
        )
    }

    private static func systemOffset(_ time: Date) -> Int {
        var seconds = time_t(time.timeIntervalSince1970)
        var parts = tm()
        return localtime_r(&seconds, &parts) == nil ? 0 : Int(parts.tm_gmtoff)
    }

    private static func offset(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
            bytes[3] == UInt8(ascii: ":"), let hours = Int(text.dropFirst().prefix(2)),
            let minutes = Int(text.suffix(2)), hours <= 14, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (bytes[0] == UInt8(ascii: "-") ? -60 : 60)
    }
}
