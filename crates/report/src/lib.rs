//! Turns a measured run into tables and files; renderers only format.
