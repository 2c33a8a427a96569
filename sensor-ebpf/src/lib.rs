#![no_std]
//! t
