package com.example;
public class Shop {
    static int price(String item) { return Integer.parseInt(item); }
    static class Till {
        int total(String[] items) {
            try { return price(items[0]); }
            catch (NumberFormatException error) { throw new IllegalStateException("no total", error); }
        }
    }
    public static void main(String[] items) {
        try { new Till().total(new String[] {"tea"}); } catch (Exception error) { error.printStackTrace(); }
    }
}
