// A channel for each file: "log.{name}" is log.app for /var/log/app.log.
//
// Threads: any; pure functions.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Replaces in `text`, with the path "/var/log/app.log":
//   {name}  app: the last part of the path, without a ".log" at its end
//   {dir}   _var_log: the path of the folder
//   {path}  _var_log_app.log: the whole path
// Characters of the path that a channel's name can't hold become "_". A name that would be longer than a channel's name
// may be ends in 16 hexadecimal digits of the path's SHA-256, so that two files do not share it.
std::string channel_for(std::string_view text, std::string_view path);

// True if `text` has one of the three.
bool is_channel_template(std::string_view text);
// True if two files of one folder have two channels.
bool has_channel_for_each_file(std::string_view text);

// The rule that `text` breaks as a value of --channel; empty if it is a channel's name or a template of one.
std::string check_channel_template(const std::string& text);

}  // namespace weir
