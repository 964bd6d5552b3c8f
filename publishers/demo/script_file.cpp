#include "publishers/demo/script_file.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "process/readable.h"
#include "proto/json_scanner.h"
#include "proto/utf8.h"

namespace weir {
namespace {

using std::chrono::microseconds;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The values of a line, as they were written; empty for a key that is missing.
struct Members {
  std::string_view delay;
  std::string_view at;
  std::string_view message;
};

// The start of a key, for an error.
std::string shown(const std::string& key) {
  constexpr std::size_t kShownMax = 40;
  std::string start = key.substr(0, kShownMax);
  replace_invalid_utf8(start);  // Half a character at the end.
  return one_line(start) + (key.size() > kShownMax ? "…" : "");
}

constexpr const char* kNoObject = "is not a JSON object";

// Returns what is wrong with the line; empty if nothing is.
std::string read_members(std::string_view line, Members& members) {
  if (!is_utf8(line)) return "is not UTF-8";
  JsonScanner scanner(line);
  if (!scanner.take('{')) return kNoObject;
  if (scanner.take('}')) return scanner.is_at_end() ? "has no \"message\"" : kNoObject;
  std::string key;
  do {
    if (!scanner.next_text(key) || !scanner.take(':')) return kNoObject;
    const auto value = scanner.next_value();
    if (value.empty()) return kNoObject;
    auto* const member = key == "delay_ms"  ? &members.delay
                         : key == "at_ms"   ? &members.at
                         : key == "message" ? &members.message
                                            : nullptr;
    if (member == nullptr) {
      return "has the key \"" + shown(key) + "\": only delay_ms, at_ms and message are known";
    }
    if (!member->empty()) return "has \"" + key + "\" twice";
    *member = value;
  } while (scanner.take(','));
  if (!scanner.take('}') || !scanner.is_at_end()) return kNoObject;
  if (members.message.empty()) return "has no \"message\"";
  if (!members.delay.empty() && !members.at.empty()) return "has both delay_ms and at_ms";
  return {};
}

// The time of a number of milliseconds, fractions included; nullopt unless it is a number in the range.
std::optional<microseconds> read_time(std::string_view raw) {
  double value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc() || end != raw.data() + raw.size()) return std::nullopt;
  if (!(value >= 0 && value <= static_cast<double>(kScriptTimeMax.count()))) return std::nullopt;
  return microseconds(static_cast<microseconds::rep>(value * 1'000));
}

std::string no_time(const char* key) {
  return std::string(key) + " must be a number from 0 to " + std::to_string(kScriptTimeMax.count());
}

std::string read_line(std::string_view line, microseconds before, Step& step) {
  Members members;
  if (auto wrong = read_members(line, members); !wrong.empty()) return wrong;
  step.at = before;
  if (!members.delay.empty()) {
    const auto delay = read_time(members.delay);
    if (!delay) return no_time("delay_ms");
    step.at += *delay;
    if (step.at > kScriptTimeMax) return "comes more than 30 days after the start";
  }
  if (!members.at.empty()) {
    const auto at = read_time(members.at);
    if (!at) return no_time("at_ms");
    if (*at < before) return "at_ms is before the message above it";
    step.at = *at;
  }
  step.payload = members.message;
  return {};
}

}  // namespace

Result<std::vector<Step>> parse_script(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<Step> steps;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto wrong = [&](const std::string& what) {
      return Error{"line " + std::to_string(number) + " " + what};
    };
    if (steps.size() == kScriptStepsMax) {
      return wrong("is one too many: a script has at most " + std::to_string(kScriptStepsMax) + " messages");
    }
    Step step;
    const auto before = steps.empty() ? microseconds(0) : steps.back().at;
    if (auto what = read_line(line, before, step); !what.empty()) return wrong(what);
    steps.push_back(std::move(step));
  }
  if (steps.empty()) return Error{"has no message"};
  return steps;
}

}  // namespace weir
