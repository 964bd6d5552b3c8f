#include <algorithm>
#include <cassert>
#include <cctype>
#include <charconv>
#include <memory>

#include "process/readable.h"
#include "settings/settings.h"

namespace weir {
namespace {

constexpr std::size_t kShownBytesMax = 120;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool ends_with_password(std::string_view name) { return name == "password" || name.ends_with("-password"); }

// Hides the text before the last '@' and after the first '?'. Without an '@', hides everything
// that could be user:password.
std::string without_password(std::string url) {
  const auto scheme_end = url.find("://");
  const std::size_t start = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  std::string hidden = url.substr(0, start) + "***";  // Not const: it is moved out.
  const auto at = url.rfind('@');
  const auto question = url.find('?', start);
  if (question != std::string::npos) {
    if (at != std::string::npos && at > question) return hidden;  // It may belong to either.
    url.replace(question + 1, std::string::npos, "***");
  }
  if (at != std::string::npos && at >= start) return hidden + url.substr(at);
  const auto end = std::min(url.find_first_of("/?", start), url.size());
  const auto colon = url.rfind(':', end);
  if (colon == std::string::npos || colon < start) return url;
  const bool is_port = std::all_of(url.begin() + static_cast<std::ptrdiff_t>(colon) + 1,
                                   url.begin() + static_cast<std::ptrdiff_t>(end),
                                   [](unsigned char c) { return std::isdigit(c) != 0; });
  return is_port || url[start] == '[' ? url : hidden;
}

// On one line and shortened, so that no value breaks an error in two.
std::string printable(const std::string& text) {
  const std::string result = one_line(std::string_view(text).substr(0, kShownBytesMax));
  return text.size() > kShownBytesMax ? result + "..." : result;
}

// Accepts digits and nothing else; nullopt if they make too large a number.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto n = parse_number(text.substr(0, digits));
  std::string suffix;
  for (const char c : text.substr(digits))
    suffix += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (suffix.starts_with(' ')) suffix.erase(0, 1);
  if (!n || (suffix.empty() && digits != text.size())) return std::nullopt;
  if (suffix.empty() || suffix == "b") return n;
  const auto shift = suffix[0] == 'k' ? 10 : suffix[0] == 'm' ? 20 : suffix[0] == 'g' ? 30 : 0;
  const auto rest = suffix.substr(1);
  if (shift == 0 || !(rest.empty() || rest == "b" || rest == "i" || rest == "ib")) return std::nullopt;
  if (*n > std::numeric_limits<std::uint64_t>::max() >> shift) return std::nullopt;
  return *n << shift;
}

std::string join(const std::vector<std::string>& items, const std::string& last_separator) {
  std::string result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) result += i + 1 == items.size() ? last_separator : ", ";
    result += items[i];
  }
  return result;
}

std::string limits_schema(Range range) {
  return R"("minimum": )" + std::to_string(range.min) + R"(, "maximum": )" + std::to_string(range.max);
}

bool is_in(Range range, std::optional<std::uint64_t> n) { return n && *n >= range.min && *n <= range.max; }

std::optional<bool> parse_bool(const std::string& text) {
  for (const char* yes : {"true", "1", "yes", "on"}) {
    if (text == yes) return true;
  }
  for (const char* no : {"false", "0", "no", "off"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

}  // namespace

const char* const kVersion = WEIR_VERSION;

Setting::Setting(std::string name, std::string help, Kind kind, Take take)
    : name_(std::move(name)), help_(std::move(help)), kind_(kind), take_(std::move(take)) {}

Setting Setting::text(std::string name, std::string& value, std::string help, Check check) {
  Setting row(std::move(name), std::move(help), Kind::kText,
              [&value, check = std::move(check)](const std::string& text) {
                auto rule = check ? check(text) : std::string();
                if (rule.empty()) value = text;
                return rule;
              });
  row.default_text_ = ends_with_password(row.name_) ? "" : value;
  row.schema_ = R"("type": ["string", "null"], "maxLength": 4096, "pattern": "^[^\\x00-\\x1f]*$")";
  row.show_ = [&value] { return value; };
  return row;
}

Setting Setting::url(std::string name, std::string& value, std::string help, Check check) {
  Setting row = text(std::move(name), value, std::move(help), std::move(check));
  row.is_url_ = true;
  row.default_text_ = without_password(value);
  return row;
}

Setting Setting::list(std::string name, std::vector<std::string>& values, std::string help, Check check) {
  Setting row(std::move(name), std::move(help), Kind::kList,
              [&values, check = std::move(check)](const std::string& text) {
                auto rule = check ? check(text) : std::string();
                if (rule.empty()) values.push_back(text);
                return rule;
              });
  row.clear_ = [&values] { values.clear(); };
  row.show_ = [&values] {
    std::string lines;
    for (const std::string& each : values) lines += each + "\n";
    return lines;
  };
  row.default_text_ = join(values, ", ");
  // A comma in an item would make two of it in the variable.
  row.schema_ =
      R"("type": ["array", "string", "null"], "maxLength": 65536, "pattern": "^[^\\x00-\\x20]*$", )"
      R"("items": {"type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[^,\\x00-\\x20]+$"})";
  return row;
}

Setting Setting::flag(std::string name, bool& value, std::string help) {
  Setting row(std::move(name), std::move(help), Kind::kFlag,
              [&value](const std::string& text) -> std::string {
                const auto parsed = parse_bool(text);
                if (!parsed) return "must be true or false";
                value = *parsed;
                return {};
              });
  row.default_text_ = value ? "true" : "false";
  row.schema_ = R"("type": ["boolean", "null"])";
  row.show_ = [&value]() -> std::string { return value ? "true" : "false"; };
  return row;
}

Setting Setting::named(std::string name, std::string default_name, std::vector<ChoiceName> names,
                       std::string help, std::function<void(std::size_t)> store) {
  std::vector<std::string> offered;
  for (const auto& each : names) {
    if (!each.is_alias) offered.push_back(each.name);
  }
  auto accepted = join(offered, " or ");
  // YAML 1.1 reads on and off as true and false.
  std::string schema = R"("enum": [)";
  for (const auto& each : names) {
    schema += '"' + each.name + "\", ";
    if (each.name == "on") schema += "true, ";
    if (each.name == "off") schema += "false, ";
  }
  schema += "null]";
  Setting row(
      std::move(name), std::move(help), Kind::kText,
      [names = std::move(names), accepted, store = std::move(store)](const std::string& text) -> std::string {
        const auto found =
            std::find_if(names.begin(), names.end(), [&text](const auto& each) { return each.name == text; });
        if (found == names.end()) return "must be " + accepted;
        store(static_cast<std::size_t>(found - names.begin()));
        return {};
      });
  row.accepted_ = std::move(accepted);
  row.schema_ = std::move(schema);
  row.default_text_ = std::move(default_name);
  return row;
}

Setting Setting::number(std::string name, std::uint64_t value, Range range, std::string unit,
                        std::string help, std::function<void(std::uint64_t)> store) {
  if (!unit.empty()) unit.insert(0, " ");
  auto accepted = std::to_string(range.min) + " to " + std::to_string(range.max) + unit;
  Setting row(std::move(name), std::move(help), Kind::kNumber,
              [range, accepted, store = std::move(store)](const std::string& text) -> std::string {
                const auto n = parse_number(text);
                if (!is_in(range, n)) return "must be a whole number, " + accepted;
                store(*n);
                return {};
              });
  row.accepted_ = std::move(accepted);
  row.schema_ = R"("type": ["integer", "null"], )" + limits_schema(range);
  row.default_text_ = std::to_string(value) + unit;
  return row;
}

Setting Setting::size(std::string name, std::uint64_t value, Range range, std::string help,
                      std::function<void(std::uint64_t)> store) {
  auto accepted = bytes_text(range.min) + " to " + bytes_text(range.max);
  Setting row(std::move(name), std::move(help), Kind::kNumber,
              [range, accepted, store = std::move(store)](const std::string& text) -> std::string {
                const auto n = parse_bytes(text);
                if (!is_in(range, n))
                  return "must be a number of bytes such as 65536, 64K or 1M, " + accepted;
                store(*n);
                return {};
              });
  row.accepted_ = std::move(accepted);
  row.schema_ = R"("type": ["integer", "string", "null"], )" + limits_schema(range) +
                R"(, "pattern": "^[0-9]{1,15}( ?([KkMmGg][Ii]?[Bb]?|[Bb]))?$")";
  row.default_text_ = bytes_text(value);
  return row;
}

Setting Setting::shown_by(Show show) && {
  show_ = std::move(show);
  return std::move(*this);
}

Setting Setting::required() && {
  is_required_ = true;
  default_text_.clear();
  return std::move(*this);
}

Setting Setting::noting(bool& is_given) && {
  take_ = [&is_given, take = std::move(take_)](const std::string& text) {
    is_given = true;
    return take(text);
  };
  return std::move(*this);
}

std::optional<Error> Setting::set(const std::vector<std::string>& values, const std::string& source) const {
  assert(kind_ == Kind::kList || values.size() == 1);
  if (clear_) clear_();
  for (const auto& value : values) {
    if (kind_ == Kind::kList && value.empty()) continue;
    // An error about reading the file is one line that holds the path, so control
    // characters are refused here.
    if (name_.ends_with("-file") && std::any_of(value.begin(), value.end(), is_control)) {
      return refusal(value, source, "must be a path without control characters");
    }
    if (const auto rule = take_(value); !rule.empty()) return refusal(value, source, rule);
  }
  return std::nullopt;
}

std::string Setting::shown(const std::string& value) const {
  return printable(ends_with_password(name_) ? "***" : is_url_ ? without_password(value) : value);
}

Error Setting::refusal(const std::string& value, const std::string& source, const std::string& rule) const {
  return Error{name_ + " = \"" + shown(value) + "\" (" + source + "): " + rule};
}

std::string environment_name(std::string_view setting) {
  std::string result = "WEIR_";
  for (const char c : setting)
    result += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

}  // namespace weir
