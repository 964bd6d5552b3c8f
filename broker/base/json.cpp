#include "broker/base/json.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "proto/utf8.h"

namespace weir {
namespace {

// Builds a Json from the library's events. The library's own tree would silently keep the last of
// two members of one name.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return add({}); }
  bool boolean(bool) override { return add({.kind = Json::Kind::kBoolean}); }
  bool number_integer(std::int64_t value) override { return add_number(static_cast<double>(value)); }
  bool number_unsigned(std::uint64_t value) override { return add_number(static_cast<double>(value)); }
  bool number_float(double value, const std::string&) override { return add_number(value); }
  bool string(std::string& value) override {
    return add({.kind = Json::Kind::kText, .text = std::move(value)});
  }
  bool binary(nlohmann::json::binary_t&) override { return refuse("is not JSON"); }
  bool start_object(std::size_t) override { return open(Json::Kind::kObject); }
  bool start_array(std::size_t) override { return open(Json::Kind::kArray); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    std::vector<std::string>& names = open_.back().names;
    if (names.size() == kJsonMembersMax) return refuse("has an object with too many members");
    if (std::find(names.begin(), names.end(), name) != names.end())
      return refuse("has an object with two members of the same name");
    names.push_back(std::move(name));
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("is not JSON");
  }

  Json take() { return std::move(whole_); }
  const char* why() const { return why_; }

 private:
  bool refuse(const char* why) {
    why_ = why;
    return false;
  }

  bool add_number(double value) { return add({.kind = Json::Kind::kNumber, .number = value}); }

  bool add(Json value) {
    if (++values_ > kJsonValuesMax) return refuse("has too many values");
    place(std::move(value));
    return true;
  }

  void place(Json value) {
    if (open_.empty()) {
      whole_ = std::move(value);
    } else {
      open_.back().values.push_back(std::move(value));
    }
  }

  bool open(Json::Kind kind) {
    if (++values_ > kJsonValuesMax) return refuse("has too many values");
    if (open_.size() == kJsonDepthMax) return refuse("is nested too deeply");
    open_.push_back({.kind = kind});
    return true;
  }

  bool close() {
    Json value = std::move(open_.back());
    open_.pop_back();
    place(std::move(value));
    return true;
  }

  Json whole_;
  std::vector<Json> open_;  // Arrays and objects that have begun, the outermost first.
  std::size_t values_ = 0;
  const char* why_ = "is not JSON";
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? nullptr : &values[static_cast<std::size_t>(found - names.begin())];
}

Result<Json> parse_json(std::string_view text) {
  // The library ends the text at a NUL; another reader would not.
  if (text.find('\0') != std::string_view::npos) return Error{"is not JSON"};
  Builder builder;
  try {
    if (nlohmann::json::sax_parse(text.begin(), text.end(), &builder)) return builder.take();
  } catch (const nlohmann::json::exception&) {
    return Error{"is not JSON"};
  }
  return Error{builder.why()};
}

JsonObject& JsonObject::add_text(std::string_view name, std::string_view text) {
  std::string clean(text);
  replace_invalid_utf8(clean);  // The library would count replacements differently.
  const nlohmann::json value(std::move(clean));
  return add_json(name, value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

JsonObject& JsonObject::add_number(std::string_view name, std::uint64_t number) {
  return add_json(name, std::to_string(number));
}

JsonObject& JsonObject::add_tenths(std::string_view name, double number) {
  char digits[400];  // The largest double has 309 digits before the point.
  const auto end = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed, 1).ptr;
  return add_json(name, {digits, static_cast<std::size_t>(end - digits)});
}

JsonObject& JsonObject::add_flag(std::string_view name, bool flag) {
  return add_json(name, flag ? "true" : "false");
}

JsonObject& JsonObject::add_null(std::string_view name) { return add_json(name, "null"); }

JsonObject& JsonObject::add_list(std::string_view name, const std::vector<JsonObject>& objects) {
  std::string list = "[";
  for (const JsonObject& object : objects) {
    if (list.size() > 1) list += ',';
    list += object.text();
  }
  return add_json(name, list + ']');
}

JsonObject& JsonObject::add_json(std::string_view name, std::string_view value) {
  assert(std::all_of(name.begin(), name.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '.'; }));
  if (!members_.empty()) members_ += ',';
  members_.append("\"").append(name).append("\":").append(value);
  return *this;
}

std::string JsonObject::text() const { return "{" + members_ + "}"; }

}  // namespace weir
