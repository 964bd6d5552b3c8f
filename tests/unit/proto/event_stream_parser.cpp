#include "event_stream_parser.h"

#include <algorithm>

namespace weir {
namespace {

// stream = [ bom ] *event; end-of-line = ( cr lf / cr / lf ). What follows the last one is no whole line.
std::vector<std::string> whole_lines(std::string_view stream) {
  if (stream.starts_with("\xEF\xBB\xBF")) stream.remove_prefix(3);
  std::vector<std::string> lines;
  std::string line;
  for (std::size_t i = 0; i < stream.size(); ++i) {
    if (stream[i] != '\r' && stream[i] != '\n') {
      line += stream[i];
      continue;
    }
    if (stream[i] == '\r' && i + 1 < stream.size() && stream[i + 1] == '\n') ++i;
    lines.push_back(line);
    line.clear();
  }
  return lines;
}

class Interpreter {
 public:
  void read(const std::string& line) {
    if (line.empty()) return dispatch();
    const std::size_t colon = line.find(':');
    if (colon == 0) return stream_.comments.push_back(line);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    process(line.substr(0, colon), value, line);
  }

  EventStream finish() && { return std::move(stream_); }

 private:
  void process(const std::string& field, const std::string& value, const std::string& line) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (field == "event") {
      type_ = value;
    } else if (field == "data") {
      data_ += value + '\n';
    } else if (field == "id" && value.find('\0') == std::string::npos) {
      id_ = value;
    } else if (field == "retry" && !value.empty() && std::all_of(value.begin(), value.end(), is_digit)) {
      stream_.reconnection_time = std::stol(value);
    } else {
      stream_.ignored.push_back(line);
    }
  }

  void dispatch() {
    stream_.last_event_id = id_;
    if (!data_.empty()) {
      data_.pop_back();
      stream_.events.push_back({type_.empty() ? "message" : type_, data_, id_});
    }
    data_.clear();
    type_.clear();
  }

  EventStream stream_;
  std::string data_;
  std::string type_;
  std::string id_;
};

}  // namespace

EventStream parse_event_stream(std::string_view stream) {
  Interpreter interpreter;
  for (const std::string& line : whole_lines(stream)) interpreter.read(line);
  return std::move(interpreter).finish();
}

std::string with_lf_only(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_crlf = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (!is_crlf) result += text[i] == '\r' ? '\n' : text[i];
  }
  return result;
}

}  // namespace weir
